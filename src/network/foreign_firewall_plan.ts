/**
 * Which other firewall would drop what our containers send or are answered, and what to do about it. Pure.
 *
 * An accept in our own table overrides nobody's drop: every base chain at a hook is asked, and one drop is enough.
 */
import type { Chain } from "../kernel/nftables/chain.ts";
import type { FamilyName } from "../kernel/nftables/family.ts";
import type { ForwardTable } from "../kernel/nftables/forward_rules.ts";
import type { LegacyForward } from "../kernel/xtables.ts";
import { probeChain } from "./forward_probe_plan.ts";

/** A base chain of somebody else's that drops our traffic. */
export interface ForwardDrop {
  readonly family: FamilyName;
  readonly table: string;
  readonly chain: string;
  /** `by its policy`, `by its rule "reject"`. */
  readonly reason: string;
  /** Commands for the person at the machine, in the words of the tool whose chain it is. */
  readonly remedy: string;
  /** dockerd's: to be remedied by skdocker itself with `dockerUserRules()`. */
  readonly docker: boolean;
}

/** Whose traffic is asked about. */
export interface OurTraffic {
  /** The bridge, or the host end of a ptp pair, whether there is one of that name or not. */
  readonly link: string;
  /** Of ptp pairs, whose host ends are many: where their addresses are, `10.251.0.0/16`. */
  readonly range?: string;
  /** An IPv4 address behind it, for rules that go by address. */
  readonly address?: string;
  /** Packets from one container to another pass the hook: they always do between pairs, with br_netfilter on a bridge. */
  readonly within?: boolean;
  /** The link that leads out, for rules that name it. */
  readonly uplink?: string;
}

/** The chains that would drop a new connection going out by way of our link, or the answers to it. */
export function foreignForwardDrops(tables: readonly ForwardTable[], ours: OurTraffic): ForwardDrop[] {
  const drops: ForwardDrop[] = [];
  for (const table of tables) {
    for (const chain of table.chains) {
      if (chain.base?.hook !== "forward") continue;
      const reason = dropReason({ table, chain }, ours);
      if (reason === undefined) continue;
      drops.push({
        family: table.family,
        table: table.name,
        chain: chain.name,
        reason,
        ...remedy({ table, chain }, ours),
      });
    }
  }
  return drops;
}

/** A base chain and what it can jump to. */
interface Place {
  readonly table: ForwardTable;
  readonly chain: Chain;
}

function dropReason({ table, chain }: Place, { link, address, uplink, within }: OurTraffic): string | undefined {
  const out = probeChain(table, chain, {
    iifname: link,
    state: "new",
    ...(uplink === undefined ? {} : { oifname: uplink }),
    ...(address === undefined ? {} : { source: address }),
  });
  if (out.drops) return out.reason;
  const back = probeChain(table, chain, {
    oifname: link,
    state: "established",
    ...(uplink === undefined ? {} : { iifname: uplink }),
    ...(address === undefined ? {} : { destination: address }),
  });
  if (back.drops) return `${back.reason} (answers only)`;
  if (within !== true) return undefined;
  const between = probeChain(table, chain, {
    iifname: link,
    oifname: link,
    state: "new",
    ...(address === undefined ? {} : { source: address, destination: address }),
  });
  return between.drops ? `${between.reason} (from one to another)` : undefined;
}

function remedy({ table, chain }: Place, ours: OurTraffic): { remedy: string; docker: boolean } {
  const { link, range } = ours;
  const has = (test: (name: string) => boolean) => table.chains.some(({ name }) => test(name));
  const iptables = table.family === "ip" && table.name === "filter" && chain.name === "FORWARD";
  if (iptables && has((name) => name === "DOCKER-USER")) {
    return { remedy: iptablesRemedy("DOCKER-USER", ours), docker: true };
  }
  if (iptables && has((name) => name.startsWith("ufw-"))) {
    // Answers it lets through by itself.
    return { remedy: `ufw route allow ${range === undefined ? `in on ${link}` : `from ${range}`}`, docker: false };
  }
  if (table.name === "firewalld") {
    const which = range === undefined ? `--add-interface=${link}` : `--add-source=${range}`;
    const command = `firewall-cmd --zone=trusted ${which}`;
    return { remedy: `${command}; ${command} --permanent`, docker: false };
  }
  return { remedy: iptables ? iptablesRemedy("FORWARD", ours) : nftRemedy({ table, chain }, ours), docker: false };
}

/** All host ends of ptp pairs begin so; others' do, too, so the range is always asked for as well. */
export const PAIRS = "veth";

function iptablesRemedy(chain: string, { link, range }: OurTraffic): string {
  const out = range === undefined ? `-i ${link}` : `-i ${PAIRS}+ -s ${range}`;
  const back = range === undefined ? `-o ${link}` : `-o ${PAIRS}+ -d ${range}`;
  return `iptables -I ${chain} ${out} -j ACCEPT; ` +
    `iptables -I ${chain} ${back} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`;
}

function nftRemedy({ table, chain }: Place, { link, range }: OurTraffic): string {
  const insert = `nft insert rule ${table.family} ${table.name} ${chain.name}`;
  const out = range === undefined ? `iifname ${link}` : `iifname '"${PAIRS}*"' ip saddr ${range}`;
  const back = range === undefined ? `oifname ${link}` : `oifname '"${PAIRS}*"' ip daddr ${range}`;
  return `${insert} ${out} accept; ${insert} ${back} ct state established,related accept`;
}

/** The same of iptables-legacy, whose rules nf_tables does not show. skdocker does not change them. */
export function legacyForwardDrop(forward: LegacyForward | undefined, ours: OurTraffic): ForwardDrop | undefined {
  if (forward === undefined || (forward.policy === "accept" && !forward.dropsRest)) return undefined;
  if (forward.accepts.some((pattern) => isNamed(pattern, ours.link))) return undefined;
  const chain = forward.chains.includes("DOCKER-USER") ? "DOCKER-USER" : "FORWARD";
  return {
    family: "ip",
    table: "filter",
    chain: "FORWARD",
    reason: `by ${forward.dropsRest ? "one of its rules" : "its policy"} (iptables-legacy)`,
    remedy: iptablesRemedy(chain, ours).replaceAll("iptables ", "iptables-legacy "),
    docker: false,
  };
}

function isNamed(pattern: string, link: string): boolean {
  return pattern.endsWith("+") ? link.startsWith(pattern.slice(0, -1)) : pattern === link;
}
