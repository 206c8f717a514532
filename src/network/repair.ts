/** `net reset` for the containers that run: their links, addresses and routes as a fresh start would have made them. */
import { isKernelError } from "../../ffi/errno.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { openNetworkNamespace, openSocketsIn } from "../kernel/namespaces.ts";
import { deleteLink, type Link, listLinks } from "../kernel/netlink/link.ts";
import { listRoutes, type Route, RT_TABLE_LOCAL, RT_TABLE_MAIN, RTPROT_KERNEL } from "../kernel/netlink/route.ts";
import { formatIp } from "../kernel/ip_address.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket } from "../kernel/netlink/socket.ts";
import { openProcess } from "../kernel/pidfd.ts";
import type { ContainerRecord } from "../store/containers.ts";
import { isContainerEndAltered, readHostEndAlterations } from "./alterations.ts";
import { type Attaching, CONTAINER_LINK, planAddress, planPair } from "./attach_plan.ts";
import { BRIDGE_LINK, BRIDGE_NETWORK } from "./bridge.ts";
import { hardenedParameters } from "./parameter_plan.ts";
import { ptpSteps } from "./ptp_plan.ts";
import type { NetworkExecutor } from "./execute.ts";
import { addressesOf, findLink, hasSoundAddress, readParameters } from "./observe.ts";
import { repairNamespace } from "./repair_namespace.ts";
import { type ObservedAttachment, planRepair } from "./repair_plan.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;

/** Corrects what differs for one container that lives; one that has ended meanwhile is left alone. */
export function repairContainer(
  executor: NetworkExecutor,
  record: ContainerRecord,
  { mtu }: { mtu: number },
): void {
  const { attachment, process, name } = record;
  if (!attachment || !process) return;
  using namespace = openNamespaceOf(process);
  if (!namespace) return;
  const sockets = openSocketsIn(namespace.fd, [
    { name: "route", family: AF_NETLINK, type: SOCK_RAW, protocol: NETLINK_ROUTE },
    { name: "rules", family: AF_NETLINK, type: SOCK_RAW, protocol: NETLINK_NETFILTER },
  ]);
  // Both were asked for.
  using route = NetlinkSocket.adopt((sockets.get("route") as Descriptor).release(), NETLINK_ROUTE);
  using rules = NetlinkSocket.adopt((sockets.get("rules") as Descriptor).release(), NETLINK_NETFILTER);
  executor.enter({ namespace: namespace.fd, route });
  repairNamespace(executor, { record, namespace: namespace.fd, route, rules });
  const bridge = attachment.network === BRIDGE_NETWORK ? BRIDGE_LINK : null;
  const attaching: Attaching = { attachment: { ...attachment, mtu }, alias: name, bridge };
  repairPair(executor, { attaching, route, ownParameters: record.ownNetworkParameters });
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

interface PairToRepair {
  readonly attaching: Attaching;
  readonly route: NetlinkSocket;
  readonly ownParameters: boolean;
}

/** What a start sets is corrected in place; a pair that was altered beyond that is made anew, under its connections. */
function repairPair(executor: NetworkExecutor, pair: PairToRepair): void {
  const { attaching, route } = pair;
  const host = findLink(executor.host, attaching.attachment.hostLink);
  const inside = findLink(route, CONTAINER_LINK);
  if (!host || !inside || !isPair(host, inside)) return remakePair(executor, pair);
  const end = readHostEndAlterations(executor.host, host);
  const { ip, gateway } = attaching.attachment;
  const foreign = hasForeignRoutes(route, { link: inside, onLink: attaching.bridge === null ? gateway : null }) ||
    hasForeignRoutes(executor.host, { link: host, onLink: ip }) ||
    isContainerEndAltered(route, inside, { own: pair.ownParameters });
  const misplaced = attaching.bridge === null && host.master !== undefined;
  if (end.beyondRepair || foreign || misplaced) return remakePair(executor, pair);
  executor.knowInside(CONTAINER_LINK, inside.index);
  const master = attaching.bridge === null ? undefined : findLink(executor.host, attaching.bridge)?.index;
  const observed = observe({ executor, route, attaching, host, inside, master });
  executor.run(planRepair(attaching, { ...observed, host: { ...observed.host, altered: end.parameters } }));
}

/** Each end names the other by its index in the other's namespace. */
function isPair(host: Link, inside: Link): boolean {
  return host.kind === "veth" && inside.kind === "veth" && host.peer === inside.index && inside.peer === host.index;
}

/** Whatever was renamed, moved or left over of the pair goes first: its ends are known by name or by MAC. */
function remakePair(executor: NetworkExecutor, { attaching, route }: PairToRepair): void {
  const { attachment } = attaching;
  for (const link of listLinks(route)) {
    const ours = link.kind === "veth" && (link.name === CONTAINER_LINK || link.address === attachment.mac);
    if (ours) removeLink(route, link);
  }
  for (const link of listLinks(executor.host)) {
    const ours = link.kind === "veth" && (link.name === attachment.hostLink || link.address === attachment.hostMac);
    if (ours) removeLink(executor.host, link);
  }
  const fresh = readParameters(hardenedParameters("default").map(([parameter]) => parameter));
  executor.forget(attachment.hostLink);
  executor.run([...planPair(attaching, { fresh, hostSteps: ptpSteps(attaching) }), ...planAddress(attaching)]);
}

function removeLink(socket: NetlinkSocket, { index }: Link): void {
  try {
    socket.transact([deleteLink(index)]);
  } catch (error) {
    if (!isKernelError(error, "ENODEV")) throw error; // it went with its other end
  }
}

/** Routes over an end of the pair, of any table but the kernel's own, that a start does not make. */
function hasForeignRoutes(
  socket: NetlinkSocket,
  { link, onLink }: { link: Link; onLink: string | null },
): boolean {
  const expected = (found: Route) => {
    if (found.table === RT_TABLE_LOCAL || found.protocol === RTPROT_KERNEL) return true;
    if (found.priority !== 0 || found.table !== RT_TABLE_MAIN) return false;
    const { destination, gateway } = found;
    if (destination.prefix === 0) return true; // the default route is corrected in place
    return gateway === undefined && destination.prefix === 32 && formatIp(destination.address) === onLink;
  };
  return !listRoutes(socket, { family: "ipv4", link: link.index }).every(expected);
}

function observe(
  { executor, route, attaching, host, inside, master }: {
    executor: NetworkExecutor;
    route: NetlinkSocket;
    attaching: Attaching;
    host: Link;
    inside: Link;
    master: number | undefined;
  },
): Omit<ObservedAttachment, "host"> & { host: Omit<ObservedAttachment["host"], "altered"> } {
  const { attachment } = attaching;
  const { hostLink } = attachment;
  const routes = listRoutes(route, { family: "ipv4", table: RT_TABLE_MAIN, link: inside.index });
  const hostRoutes = listRoutes(executor.host, { family: "ipv4", table: RT_TABLE_MAIN, link: host.index });
  const gateway = `${attachment.gateway}/32`;
  return {
    host: {
      up: host.up,
      alias: host.alias,
      address: host.address,
      mtu: host.mtu,
      inBridge: host.master === master,
      hairpin: host.port?.hairpin ?? false,
      addresses: addressesOf(executor.host, host.index),
      sound: hasSoundAddress(executor.host, { link: host.index, up: host.up, wanted: gateway, first: true }),
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
      sound: hasSoundAddress(route, {
        link: inside.index,
        up: inside.up,
        wanted: `${attachment.ip}/${attachment.prefix}`,
        first: true,
      }),
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
    if (/^veth[0-9a-f]{8}$/.test(link.name) && !alive.has(link.name)) removeLink(executor.host, link);
  }
}
