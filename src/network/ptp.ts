/** The range of the routed pairs: chosen once, like the bridge's, and kept. */
import {
  firstAddress,
  formatIpv4,
  formatIpv4Network,
  ipv4FromNumber,
  parseIpv4,
  parseIpv4Network,
} from "../kernel/ipv4.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../kernel/netlink/socket.ts";
import { removeFile } from "../kernel/files.ts";
import { takeLock } from "../store/lock.ts";
import { type NetworkIntent, readNetwork, writeNetwork } from "../store/networks.ts";
import type { Paths } from "../store/paths.ts";
import { UserError } from "../user_error.ts";
import type { LeasePool } from "./lease.ts";
import { hostRoutes, routedNetworks } from "./observe.ts";
import { freeRange, ptpCandidates } from "./range.ts";

/** The name under which ptp pairs lease their addresses. */
export const PTP_NETWORK = "ptp";

/** The pool of the pairs, to be asked for before the bridge is looked at; its gateway is the host's address on each of them. */
export function ptpPool(paths: Paths): LeasePool {
  return poolOf(readNetwork(paths, PTP_NETWORK) ?? chooseRange(paths));
}

/** The pool that would be used now; nothing is chosen for good. */
export function plannedPtpPool(paths: Paths): LeasePool {
  return poolOf(readNetwork(paths, PTP_NETWORK) ?? findRange());
}

function poolOf({ subnet, gateway }: NetworkIntent): LeasePool {
  return { network: PTP_NETWORK, subnet: parseIpv4Network(subnet), gateway: parseIpv4(gateway) };
}

function chooseRange(paths: Paths): NetworkIntent {
  using _lock = takeLock(paths.stateLock, "exclusive");
  const chosen = readNetwork(paths, PTP_NETWORK); // another start may have been first
  if (chosen) return chosen;
  const intent = findRange();
  writeNetwork(paths, intent);
  // Other tools' firewalls must be looked at with this range in mind.
  removeFile(paths.networkState("bridge"));
  return intent;
}

function findRange(): NetworkIntent {
  using host = NetlinkSocket.open(NETLINK_ROUTE);
  const range = freeRange(ptpCandidates(), routedNetworks(hostRoutes(host), new Set()));
  if (!range) {
    throw new UserError("No range of addresses is left for ptp: the host has routes into all that skdocker uses");
  }
  return {
    name: PTP_NETWORK,
    driver: "ptp",
    subnet: formatIpv4Network(range),
    gateway: formatIpv4(ipv4FromNumber(firstAddress(range) + 1)),
    link: null,
    mac: null,
  };
}
