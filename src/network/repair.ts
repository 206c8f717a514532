/** `net reset` for the containers that run: their links, addresses and routes as a fresh start would have made them. */
import { isKernelError } from "../../ffi/errno.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { openNetworkNamespace, openSocketsIn } from "../kernel/namespaces.ts";
import { deleteLink, listLinks } from "../kernel/netlink/link.ts";
import { listRoutes, RT_TABLE_MAIN } from "../kernel/netlink/route.ts";
import { formatIp } from "../kernel/ip_address.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../kernel/netlink/socket.ts";
import { openProcess } from "../kernel/pidfd.ts";
import type { ContainerRecord } from "../store/containers.ts";
import { type Attaching, CONTAINER_LINK, planAddress, planPair } from "./attach_plan.ts";
import { BRIDGE_LINK, BRIDGE_NETWORK } from "./bridge.ts";
import { hardenedParameters } from "./bridge_plan.ts";
import type { NetworkExecutor } from "./execute.ts";
import type { NetworkStep } from "./network_step.ts";
import { addressesOf, connectedNetworks, findLink, readParameters } from "./observe.ts";
import { type ObservedAttachment, planRepair } from "./repair_plan.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;

/** Corrects what differs for one container that lives; one that has ended meanwhile is left alone. */
export function repairContainer(executor: NetworkExecutor, record: ContainerRecord): void {
  const { attachment, process, name } = record;
  if (!attachment || !process) return;
  using namespace = openNamespaceOf(process);
  if (!namespace) return;
  const sockets = openSocketsIn(namespace.fd, [
    { name: "route", family: AF_NETLINK, type: SOCK_RAW, protocol: NETLINK_ROUTE },
  ]);
  using route = NetlinkSocket.adopt((sockets.get("route") as Descriptor).release(), NETLINK_ROUTE); // it was asked for
  const bridge = attachment.network === BRIDGE_NETWORK ? BRIDGE_LINK : null;
  const attaching: Attaching = { attachment, alias: name, bridge };
  executor.enter({ namespace: namespace.fd, route });
  const host = findLink(executor.host, attachment.hostLink);
  const inside = host ? findLink(route, CONTAINER_LINK) : null;
  if (!host || !inside) {
    if (host) executor.run([{ do: "delete link", purpose: "pair", side: "host", link: attachment.hostLink }]);
    const fresh = readParameters(hardenedParameters("default").map(([parameter]) => parameter));
    executor.run([...loopbackUp(route), ...planPair(attaching, fresh), ...planAddress(attaching)]);
    return executor.keep();
  }
  executor.knowInside(CONTAINER_LINK, inside.index);
  const master = bridge === null ? undefined : findLink(executor.host, bridge)?.index;
  executor.run([
    ...loopbackUp(route),
    ...planRepair(attaching, observe({ executor, route, attaching, host, inside, master })),
  ]);
  executor.keep();
}

function openNamespaceOf(process: NonNullable<ContainerRecord["process"]>): Descriptor | undefined {
  using pidfd = openProcess(process);
  if (!pidfd) return undefined;
  try {
    return openNetworkNamespace(`/proc/${process.pid}/ns/net`);
  } catch (error) {
    if (isKernelError(error, "ENOENT", "ESRCH")) return undefined; // it has just ended
    throw error;
  }
}

function loopbackUp(route: NetlinkSocket): NetworkStep[] {
  if (findLink(route, "lo")?.up) return [];
  return [{ do: "set link", purpose: "namespace", side: "container", link: "lo", settings: { up: true } }];
}

type Found = NonNullable<ReturnType<typeof findLink>>;

function observe(
  { executor, route, attaching, host, inside, master }: {
    executor: NetworkExecutor;
    route: NetlinkSocket;
    attaching: Attaching;
    host: Found;
    inside: Found;
    master: number | undefined;
  },
): ObservedAttachment {
  const routes = listRoutes(route, { family: "ipv4", table: RT_TABLE_MAIN, link: inside.index });
  const hostRoutes = listRoutes(executor.host, { family: "ipv4", table: RT_TABLE_MAIN, link: host.index });
  const { hostLink } = attaching.attachment;
  return {
    host: {
      up: host.up,
      alias: host.alias,
      address: host.address,
      mtu: host.mtu,
      inBridge: host.master === master,
      hairpin: host.port?.hairpin ?? false,
      addresses: addressesOf(executor.host, host.index),
      routes: hostRoutes.map(({ destination }) => `${formatIp(destination.address)}/${destination.prefix}`),
      parameters: readParameters([
        ...hardenedParameters(hostLink).map(([name]) => name),
        `net.ipv4.conf.${hostLink}.forwarding`,
      ]),
    },
    inside: {
      up: inside.up,
      address: inside.address,
      mtu: inside.mtu,
      addresses: addressesOf(route, inside.index),
      connected: connectedNetworks(routes),
      onLink: routes.filter(({ destination, gateway }) => destination.prefix === 32 && gateway === undefined)
        .map(({ destination }) => formatIp(destination.address)),
      defaults: routes.filter(({ destination }) => destination.prefix === 0)
        .map(({ gateway }) => gateway === undefined ? null : formatIp(gateway)),
    },
  };
}

/** Removes pairs that belong to no container: of our making by their name, and in our bridge or of nobody. */
export function removeLeftLinks(executor: NetworkExecutor, alive: ReadonlySet<string>): void {
  const bridge = findLink(executor.host, BRIDGE_LINK);
  if (!bridge) return;
  for (const link of listLinks(executor.host, { master: bridge.index })) {
    if (!/^veth[0-9a-f]{8}$/.test(link.name) || alive.has(link.name)) continue;
    try {
      executor.host.transact([deleteLink(link.index)]);
    } catch (error) {
      if (!isKernelError(error, "ENODEV")) throw error; // its namespace has just ended
    }
  }
}
