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
  /** The bridge, or the host end of a ptp pair. */
  readonly link: string;
  /** An IPv4 address behind it, for rules that go by address. */
  readonly address?: string;
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

function dropReason({ table, chain }: Place, { link, address, uplink }: OurTraffic): string | undefined {
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
  return back.drops ? `${back.reason} (answers only)` : undefined;
}

function remedy({ table, chain }: Place, { link }: OurTraffic): { remedy: string; docker: boolean } {
  const has = (test: (name: string) => boolean) => table.chains.some(({ name }) => test(name));
  const iptables = table.family === "ip" && table.name === "filter" && chain.name === "FORWARD";
  if (iptables && has((name) => name === "DOCKER-USER")) {
    return { remedy: iptablesRemedy("DOCKER-USER", link), docker: true };
  }
  if (iptables && has((name) => name.startsWith("ufw-"))) {
    return { remedy: `ufw route allow in on ${link}`, docker: false }; // answers it lets through by itself
  }
  if (table.name === "firewalld") {
    const command = `firewall-cmd --zone=trusted --add-interface=${link}`;
    return { remedy: `${command}; ${command} --permanent`, docker: false };
  }
  return { remedy: iptables ? iptablesRemedy("FORWARD", link) : nftRemedy({ table, chain }, link), docker: false };
}

function iptablesRemedy(chain: string, link: string): string {
  return `iptables -I ${chain} -i ${link} -j ACCEPT; ` +
    `iptables -I ${chain} -o ${link} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`;
}

function nftRemedy({ table, chain }: Place, link: string): string {
  const insert = `nft insert rule ${table.family} ${table.name} ${chain.name}`;
  return `${insert} iifname ${link} accept; ${insert} oifname ${link} ct state established,related accept`;
}

/** The same of iptables-legacy, whose rules nf_tables does not show. skdocker does not change them. */
export function legacyForwardDrop(forward: LegacyForward | undefined, { link }: OurTraffic): ForwardDrop | undefined {
  if (forward === undefined || forward.policy === "accept" || forward.acceptsLink) return undefined;
  const chain = forward.chains.includes("DOCKER-USER") ? "DOCKER-USER" : "FORWARD";
  return {
    family: "ip",
    table: "filter",
    chain: "FORWARD",
    reason: "by its policy (iptables-legacy)",
    remedy: iptablesRemedy(chain, link).replaceAll("iptables ", "iptables-legacy "),
    docker: false,
  };
}
