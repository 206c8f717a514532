/** What the host has, read from the kernel when it matters: the input of the plans. */
import { isKernelError } from "../../ffi/errno.ts";
import { readSysctl } from "../host/sysctl.ts";
import { firstAddress, formatIpv4Network, type Ipv4Network, lastAddress, parseIpv4Network } from "../kernel/ipv4.ts";
import { type LinkAddress, listAddresses } from "../kernel/netlink/address.ts";
import { getLink, type Link, listLinks } from "../kernel/netlink/link.ts";
import { listRoutes, type Route, RT_TABLE_LOCAL, RTPROT_KERNEL } from "../kernel/netlink/route.ts";
import type { NetlinkSocket } from "../kernel/netlink/socket.ts";
import type { Uplink } from "./bridge_plan.ts";
import type { LinkParameters } from "./parameter_plan.ts";

/** A link, or null where there is none of that name. */
export function findLink(socket: NetlinkSocket, link: string | number): Link | null {
  try {
    return getLink(socket, link);
  } catch (error) {
    if (isKernelError(error, "ENODEV")) return null;
    throw error;
  }
}

/** The IPv4 addresses of a link, with prefix lengths. */
export function addressesOf(socket: NetlinkSocket, link: number): string[] {
  return listAddresses(socket, { link, family: "ipv4" }).map((found) => formatIpv4Network(ipv4Network(found)));
}

function ipv4Network({ address, prefix }: { address: unknown; prefix: number }): Ipv4Network {
  return { address: address as Ipv4Network["address"], prefix }; // asked for IPv4 alone
}

/** The current values of kernel parameters, null where the kernel lacks one. */
export function readParameters(names: readonly string[]): LinkParameters {
  const values: Record<string, string | null> = {};
  for (const name of names) values[name] = readSysctl(name);
  return values;
}

/** The IPv4 routes that packets of others take: everything but the table of the host's own addresses. */
export function hostRoutes(socket: NetlinkSocket): Route[] {
  return listRoutes(socket, { family: "ipv4" }).filter(({ table, type }) =>
    table !== RT_TABLE_LOCAL && type === "unicast"
  );
}

/** The networks that routes lead to, by links other than ours. */
export function routedNetworks(routes: readonly Route[], ours: ReadonlySet<number>): Ipv4Network[] {
  return routes.filter((route) => !nextLinks(route).every((link) => ours.has(link)))
    .map(({ destination }) => ipv4Network({ ...destination, address: firstAddress(ipv4Network(destination)) }));
}

// include/uapi/linux/if_addr.h: behind another one of its network, and there for good
const IFA_F_SECONDARY = 0x01;
const IFA_F_PERMANENT = 0x80;

/**
 * Whether a link has the address `wanted` as skdocker gives it, with every route that the kernel makes for an address;
 * `first`: and before all others, as behind another one of its network it would go with that. A link that is down has
 * no routes: they come when it goes up.
 */
export function hasSoundAddress(
  socket: NetlinkSocket,
  { link, up, wanted, first }: { link: number; up: boolean; wanted: string; first: boolean },
): boolean {
  const addresses = listAddresses(socket, { link, family: "ipv4" });
  const isWanted = (address: LinkAddress) => formatIpv4Network(ipv4Network(address)) === wanted;
  const found = first ? addresses.slice(0, 1).find(isWanted) : addresses.find(isWanted);
  if (!found) return false;
  const flags = first ? found.flags : found.flags & ~IFA_F_SECONDARY;
  const plain = flags === IFA_F_PERMANENT && found.scope === "global" && found.broadcast === undefined &&
    found.peer === undefined;
  if (!plain || !up) return plain;
  const network = parseIpv4Network(wanted);
  const routes = listRoutes(socket, { family: "ipv4", link }).filter(({ protocol }) => protocol === RTPROT_KERNEL);
  return addressRoutes(network).every(([type, destination]) =>
    routes.some((route) => route.type === type && formatIpv4Network(ipv4Network(route.destination)) === destination)
  );
}

/** What the kernel routes for an address: itself, its network and that one's broadcast address (fib_add_ifaddr). */
function addressRoutes(network: Ipv4Network): [type: string, destination: string][] {
  const { address, prefix } = network;
  const single = (of: Ipv4Network["address"]) => formatIpv4Network({ address: of, prefix: 32 });
  const routes: [string, string][] = [["local", single(address)]];
  if (prefix < 32) routes.push(["unicast", formatIpv4Network({ address: firstAddress(network), prefix })]);
  if (prefix < 31) routes.push(["broadcast", single(lastAddress(network))]);
  return routes;
}

function nextLinks({ link, hops }: Route): number[] {
  return [link, ...hops.map((hop) => hop.link)].filter((index) => index !== undefined);
}

/** The links of the host that lead somewhere, other than lo and ours, and the smallest MTU of those with a gateway. */
export function observeUplinks(
  socket: NetlinkSocket,
  { routes, ours }: { routes: readonly Route[]; ours: ReadonlySet<number> },
): { uplinks: Uplink[]; mtu: number } {
  const leading = new Set<number>();
  const gateways = new Set<number>();
  for (const route of routes) {
    for (const link of nextLinks(route)) {
      leading.add(link);
      if (route.gateway !== undefined || route.destination.prefix === 0) gateways.add(link);
    }
  }
  const uplinks: Uplink[] = [];
  let mtu = Infinity;
  for (const link of listLinks(socket)) {
    if (!leading.has(link.index) || ours.has(link.index) || link.name === "lo") continue;
    if (gateways.size === 0 || gateways.has(link.index)) mtu = Math.min(mtu, link.mtu);
    uplinks.push({
      link: link.name,
      index: link.index,
      bridge: link.kind === "bridge",
      mtu: link.mtu,
      forwarding: link.ipv4?.forwarding === 1,
    });
  }
  return { uplinks: uplinks.sort((a, b) => a.index - b.index), mtu: mtu === Infinity ? DEFAULT_MTU : mtu };
}

/** RFC 894: what an Ethernet carries. */
const DEFAULT_MTU = 1500;
