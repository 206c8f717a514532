/**
 * The firewall, as data: a constant set of rules over sets. Networks and containers only add and remove
 * elements, so what a packet and a start cost does not grow with them. Pure.
 *
 * Three tables:
 *  - `inet skdocker` on the host: ours alone. Deleting it removes all of skdocker's firewall.
 *  - `inet skdocker-user` on the host: the user's. Made once, never flushed.
 *  - `ip skdocker` in a container's namespace, only where skdocker serves 127.0.0.11 there.
 */
import type { BaseChain, Chain } from "../kernel/nftables/chain.ts";
import type { Element } from "../kernel/nftables/element.ts";
import { NF_NAT_RANGE_PROTO_RANDOM_FULLY } from "../kernel/nftables/expr/masquerade.ts";
import type { Expression } from "../kernel/nftables/expression.ts";
import type { NftOperation } from "../kernel/nftables/operation.ts";
import type { SetDefinition } from "../kernel/nftables/set.ts";
import type { Ipv4Network } from "../kernel/ipv4.ts";
import {
  addressIn,
  clampSegments,
  ctState,
  destinationIs,
  dnatTo,
  linkBegins,
  linkIn,
  linkIs,
  noRouteBack,
  portIs,
  tcpSyn,
  transportIs,
  verdict,
} from "../kernel/nftables/statement.ts";
import type { Table } from "../kernel/nftables/table.ts";
import { RESOLVER_ADDRESS } from "./resolv_conf.ts";

/**
 * The host's table. The comment counts the revisions of the rules below: a table that says another one was
 * made by another version of skdocker and is to be made anew ({@link rebuildFirewall}).
 */
export const FIREWALL: Table = { family: "inet", name: "skdocker", comment: "skdocker rules 1" };

/** The user's table. */
export const USER_FIREWALL: Table = { family: "inet", name: "skdocker-user" };

/** The table in the namespace of a container whose name server is skdocker. */
export const RESOLVER_TABLE: Table = { family: "ip", name: "skdocker" };

/** Of a name server (RFC 1035, 4.2). */
const DNS_PORT = 53;

function firewallSet(name: string, definition: Omit<SetDefinition, "family" | "table" | "name">): SetDefinition {
  return { family: FIREWALL.family, table: FIREWALL.name, name, ...definition };
}

/** Links of our networks: bridges, and the host ends of ptp pairs. */
export const NETWORKS = firewallSet("networks", { key: ["ifname"], comment: "links of our networks" });
/** Pairs (in, out) between which packets pass untouched. */
const WITHIN = firewallSet("within", { key: ["ifname", "ifname"], comment: "pairs of links that may talk" });
/** Host ends of ptp pairs: all of them are one network. */
const PTP = firewallSet("ptp", { key: ["ifname"], comment: "host ends of ptp pairs, which may talk" });
/** Links whose packets leave under the host's own address. */
const MASQUERADE = firewallSet("masqueraded", { key: ["ifname"], comment: "links that hide behind the host" });
/** Host links whose IPv4 forwarding skdocker itself turned on. */
const ROUTED = firewallSet("routed", { key: ["ifname"], comment: "links that forward only for our networks" });

function accept(): Expression[] {
  return verdict({ verdict: "accept" });
}

function drop(): Expression[] {
  return verdict({ verdict: "drop" });
}

/** A base chain and its rules, one operation each. */
function chain(at: { table: Table; name: string; base: BaseChain }, rules: readonly Expression[][]): NftOperation[] {
  const { family, name: table } = at.table;
  const made: Chain = { family, table, name: at.name, base: at.base };
  const operations: NftOperation[] = [{ verb: "add", chain: made }];
  for (const expressions of rules) {
    operations.push({ verb: "add", rule: { family, table, chain: at.name, expressions } });
  }
  return operations;
}

/**
 * What is forwarded. The order is the meaning:
 *
 *  1. Pairs that may talk come first, untouched by all that follows. With bridge-nf-call-iptables=1 every
 *     frame between two ports of a bridge passes here with that bridge as both links, with 0 none does; either
 *     way, containers of one bridge talk, and no state or segment size of theirs is looked at.
 *  2. The ptp pairs likewise.
 *  3. A source to which no route leads back over the same link is forged. (Not at prerouting: there a frame
 *     that is only bridged could not be told from one that enters the host.)
 *  4. What conntrack calls invalid would be forwarded without being masqueraded: the container's address
 *     would leave the host, and the answer (a reset, often) would break the true connection.
 *  5. 6. The first packets of a TCP connection announce no larger segment than the path takes; the route knows,
 *     also where ICMP's "fragmentation needed" is filtered.
 *  7. Networks are kept apart, answers included.
 *  8. 9. Into a network come answers, nothing else; so a neighbour on the host's LAN that makes itself a route
 *     to our addresses gets nowhere.
 *  10. A link that forwards only because skdocker turned it on forwards nothing else: the host does not become
 *     a router. All of ours has been decided above. (Whoever makes the host a router, by ip_forward=1, is to
 *     be obeyed: the set is then emptied.)
 *
 * What leaves a network for the outside reaches the end, the policy: accept.
 */
function forwardChain(): NftOperation[] {
  const base: BaseChain = { type: "filter", hook: "forward", priority: 0, policy: "accept" };
  return chain({ table: FIREWALL, name: "forward", base }, [
    [...linkIn(["iifname", "oifname"], WITHIN.name), ...accept()],
    [...linkIn(["iifname"], PTP.name), ...linkIn(["oifname"], PTP.name), ...accept()],
    [...linkIn(["iifname"], NETWORKS.name), ...noRouteBack(), ...drop()],
    [...linkIn(["iifname"], NETWORKS.name), ...ctState("invalid"), ...drop()],
    [...linkIn(["iifname"], NETWORKS.name), ...tcpSyn(), ...clampSegments()],
    [...linkIn(["oifname"], NETWORKS.name), ...tcpSyn(), ...clampSegments()],
    [...linkIn(["iifname"], NETWORKS.name), ...linkIn(["oifname"], NETWORKS.name), ...drop()],
    [...linkIn(["oifname"], NETWORKS.name), ...ctState("established,related"), ...accept()],
    [...linkIn(["oifname"], NETWORKS.name), ...drop()],
    [...linkIn(["iifname"], ROUTED.name), ...drop()],
  ]);
}

/**
 * What comes to the host itself: a container must not pass for a machine of the LAN with a service that trusts
 * addresses. rp_filter would do for IPv4, but its lookup is skipped for packets of connected sockets.
 */
function inputChain(): NftOperation[] {
  const base: BaseChain = { type: "filter", hook: "input", priority: 0, policy: "accept" };
  return chain({ table: FIREWALL, name: "input", base }, [
    [...linkIn(["iifname"], NETWORKS.name), ...noRouteBack(), ...drop()],
  ]);
}

/**
 * The link a packet came in by is known here since Linux 5.7. Bridged frames (bridge-nf-call-iptables=1) and the
 * host's own packets have none, so they are left alone.
 *
 * Echo requests get an id by chance: it is often the sender's pid, which is the same small number in many containers.
 * Two of them at once would be given the same free one, and the kernel drops the later (measured: 1 of 500 pings).
 * TCP and UDP keep their ports where they can, which some peers rely on.
 */
function postroutingChain(): NftOperation[] {
  const base: BaseChain = { type: "nat", hook: "postrouting", priority: 100, policy: "accept" };
  const leaving = [...linkIn(["iifname"], MASQUERADE.name), ...linkIn(["oifname"], NETWORKS.name, { not: true })];
  return chain({ table: FIREWALL, name: "postrouting", base }, [
    [...leaving, ...transportIs("icmp"), { expr: "masq", flags: NF_NAT_RANGE_PROTO_RANDOM_FULLY }],
    [...leaving, { expr: "masq" }],
  ]);
}

function firewallContents(): NftOperation[] {
  const operations: NftOperation[] = [];
  for (const set of [NETWORKS, WITHIN, PTP, MASQUERADE, ROUTED]) operations.push({ verb: "add", set });
  return [...operations, ...inputChain(), ...forwardChain(), ...postroutingChain()];
}

/**
 * The whole of `inet skdocker`, without elements. The first operation refuses with EEXIST where the table is
 * there already, so that of two starts at once one makes it and the other finds it made.
 */
export function makeFirewall(): NftOperation[] {
  return [{ verb: "create", table: FIREWALL }, ...firewallContents()];
}

/**
 * Makes `inet skdocker` anew, whatever was in it. In one batch with the elements, no packet sees it incomplete,
 * and connections live on: conntrack remembers their addresses.
 */
export function rebuildFirewall(): NftOperation[] {
  return [{ verb: "destroy", table: FIREWALL }, ...makeFirewall()];
}

/** All of skdocker's firewall gone; the user's table stays. */
export function removeFirewall(): NftOperation[] {
  return [{ verb: "destroy", table: FIREWALL }];
}

/**
 * The user's table and an empty chain, called before skdocker's own: a drop in it is final, an accept only means
 * "no objection". To be sent only where the table does not exist. The policy is left to the kernel (accept),
 * so that nothing here could ever put back what the user has set.
 */
export function makeUserFirewall(): NftOperation[] {
  const base: BaseChain = { type: "filter", hook: "forward", priority: -5 };
  return [{ verb: "create", table: USER_FIREWALL }, ...chain({ table: USER_FIREWALL, name: "forward", base }, [])];
}

/** A link of a network. */
export interface NetworkLink {
  /** The bridge, or the host end of a ptp pair. */
  readonly link: string;
  /** Whose it is: the comment of its elements. */
  readonly owner: string;
  readonly masquerade: boolean;
}

/** A network on a bridge. */
export function bridgeElements(network: NetworkLink): NftOperation[] {
  const { link, owner } = network;
  return [
    add({ set: NETWORKS, key: [link], comment: owner }),
    add({ set: WITHIN, key: [link, link], comment: owner }),
    ...masqueraded(network),
  ];
}

/** A container on a ptp pair. */
export function ptpElements(network: NetworkLink): NftOperation[] {
  const { link, owner } = network;
  return [
    add({ set: NETWORKS, key: [link], comment: owner }),
    add({ set: PTP, key: [link], comment: owner }),
    ...masqueraded(network),
  ];
}

function masqueraded({ link, owner, masquerade }: NetworkLink): NftOperation[] {
  return masquerade ? [add({ set: MASQUERADE, key: [link], comment: owner })] : [];
}

/**
 * A host link whose forwarding skdocker turned on. Where it is a bridge itself, frames between its own ports are
 * nobody's to drop: with bridge-nf-call-iptables=1 they pass the forward chain as well.
 */
export function routedElements(
  { link, owner, bridge }: { link: string; owner: string; bridge: boolean },
): NftOperation[] {
  const operations = [add({ set: ROUTED, key: [link], comment: owner })];
  if (bridge) operations.push(add({ set: WITHIN, key: [link, link], comment: owner }));
  return operations;
}

function add(element: Element): NftOperation {
  return { verb: "add", element };
}

/**
 * Takes back what operations that made something have made, in reverse. Elements, sets, chains and tables only.
 * A table takes its contents with it, so for one that was made, deleting it is all.
 */
export function undo(operations: readonly NftOperation[]): NftOperation[] {
  const undone: NftOperation[] = [];
  const gone = new Set<string>();
  for (const operation of operations) {
    if (!("table" in operation)) continue;
    const { family, name } = operation.table;
    if (!gone.has(`${family} ${name}`)) undone.unshift({ verb: "destroy", table: operation.table });
    gone.add(`${family} ${name}`);
  }
  const goes = ({ family, table }: { family: string; table: string }) => gone.has(`${family} ${table}`);
  for (const operation of operations) {
    if ("element" in operation ? goes(operation.element.set) : "chain" in operation && goes(operation.chain)) continue;
    if ("set" in operation && goes(operation.set)) continue;
    if ("element" in operation) undone.unshift({ verb: "destroy", element: operation.element });
    else if ("chain" in operation) undone.unshift({ verb: "destroy", chain: operation.chain });
    else if ("set" in operation) undone.unshift({ verb: "destroy", set: operation.set });
  }
  return undone;
}

/**
 * In the container's namespace: what it asks 127.0.0.11:53 goes to the ports skdocker listens on, and conntrack
 * makes the answers come from port 53 again. The container's own port 53 stays free: nothing is bound to it.
 * Destination NAT to the address, not `redirect`, which at the output hook always means 127.0.0.1.
 */
export function resolverTable({ udpPort, tcpPort }: { udpPort: number; tcpPort: number }): NftOperation[] {
  const base: BaseChain = { type: "nat", hook: "output", priority: -100, policy: "accept" };
  const lead = (protocol: "udp" | "tcp", port: number) => [
    ...destinationIs(RESOLVER_ADDRESS),
    ...portIs(protocol, DNS_PORT),
    ...dnatTo(RESOLVER_ADDRESS, port),
  ];
  return [
    { verb: "create", table: RESOLVER_TABLE },
    ...chain({ table: RESOLVER_TABLE, name: "output", base }, [lead("udp", udpPort), lead("tcp", tcpPort)]),
  ];
}

/** How a rule of ours in another tool's chain is known again. */
export const DOCKER_USER_COMMENT = "skdocker";
export const DOCKER_USER = { family: "ip", table: "filter", chain: "DOCKER-USER" } as const;

/**
 * Rules for the chain that dockerd keeps for others, so that its `FORWARD DROP` does not swallow our traffic.
 * Only what iptables-nft can list is used: one expression that it does not know (ct, lookups in named sets) and
 * `iptables -L` refuses the whole table, dockerd with it. Letting in all that goes to our link is safe: what may
 * enter is decided by our own table, which an accept here does not override. The host ends of ptp pairs are known by
 * the beginning of their names, which dockerd's share, and by the range of their addresses.
 */
export function dockerUserRules(
  { link, pairs }: { link: string; pairs: { prefix: string; range: Ipv4Network } | null },
): NftOperation[] {
  const rule = (expressions: Expression[]): NftOperation => ({
    verb: "insert",
    rule: {
      ...DOCKER_USER,
      expressions: [...expressions, { expr: "counter" }, ...accept()],
      comment: DOCKER_USER_COMMENT,
    },
  });
  const rules = [rule(linkIs("iifname", link)), rule(linkIs("oifname", link))];
  if (pairs) {
    const { prefix, range } = pairs;
    rules.push(rule([...linkBegins("iifname", prefix), ...addressIn("saddr", range)]));
    rules.push(rule([...linkBegins("oifname", prefix), ...addressIn("daddr", range)]));
  }
  return rules;
}
