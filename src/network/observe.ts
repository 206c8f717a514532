/** What the host has, read from the kernel when it matters: the input of the plans. */
import { isKernelError } from "../../ffi/errno.ts";
import { readSysctl } from "../host/sysctl.ts";
import { firstAddress, formatIpv4Network, type Ipv4Network } from "../kernel/ipv4.ts";
import { listAddresses } from "../kernel/netlink/address.ts";
import { getLink, type Link, listLinks } from "../kernel/netlink/link.ts";
import { listRoutes, type Route, RT_TABLE_LOCAL, RT_TABLE_MAIN, RTPROT_KERNEL } from "../kernel/netlink/route.ts";
import type { NetlinkSocket } from "../kernel/netlink/socket.ts";
import { dumpElements, dumpRules, getTable } from "../kernel/nftables/dump.ts";
import { expressionsText } from "../kernel/nftables/expression.ts";
import type { NftOperation } from "../kernel/nftables/operation.ts";
import type { SetDefinition } from "../kernel/nftables/set.ts";
import type { LinkParameters, Uplink } from "./bridge_plan.ts";
import { FIREWALL } from "./firewall_plan.ts";

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

/** Of routes over one link, the networks to which the kernel itself leads because of the link's addresses. */
export function connectedNetworks(routes: readonly Route[]): string[] {
  return routes.filter(({ protocol, table }) => protocol === RTPROT_KERNEL && table === RT_TABLE_MAIN)
    .map(({ destination }) => formatIpv4Network(ipv4Network(destination)));
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

/** Whether the table is there, and holds just the rules and elements that `wanted` would make. */
export function observeFirewall(
  socket: NetlinkSocket,
  wanted: readonly NftOperation[],
): "missing" | "damaged" | "healthy" {
  const table = getTable(socket, FIREWALL);
  if (!table) return "missing";
  if (table.comment !== FIREWALL.comment) return "damaged";
  try {
    return rulesMatch(socket, wanted) && elementsMatch(socket, wanted) ? "healthy" : "damaged";
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return "damaged"; // a set or a chain is missing
    throw error;
  }
}

function rulesMatch(socket: NetlinkSocket, wanted: readonly NftOperation[]): boolean {
  const text = (rule: { chain: string; expressions: Parameters<typeof expressionsText>[0] }) =>
    `${rule.chain} ${expressionsText(rule.expressions, FIREWALL.family)}`;
  const expected: string[] = [];
  for (const operation of wanted) {
    if ("rule" in operation && "expressions" in operation.rule) expected.push(text(operation.rule));
  }
  const found = dumpRules(socket, { family: FIREWALL.family, table: FIREWALL.name }).map(text);
  return expected.length === found.length && expected.sort().join("\n") === found.sort().join("\n");
}

function elementsMatch(socket: NetlinkSocket, wanted: readonly NftOperation[]): boolean {
  const expected = new Map<SetDefinition, string[]>();
  for (const operation of wanted) {
    if ("set" in operation) expected.set(operation.set, []);
    if (!("element" in operation)) continue;
    const { set, key, comment } = operation.element;
    expected.set(set, [...(expected.get(set) ?? []), `${key.join(" . ")} ${comment ?? ""}`]);
  }
  for (const [set, keys] of expected) {
    const found = dumpElements(socket, set).map(({ key, comment }) => `${key.join(" . ")} ${comment ?? ""}`);
    if (found.sort().join("\n") !== keys.sort().join("\n")) return false;
  }
  return true;
}
