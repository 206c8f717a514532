/** Everything that other tools have at the forward hook, for finding out what would drop our traffic. */
import type { NetlinkSocket } from "../netlink/socket.ts";
import type { Chain } from "./chain.ts";
import { dumpChains, dumpElements, dumpRules, dumpSets } from "./dump.ts";
import type { DumpedElement } from "./element.ts";
import type { FamilyName } from "./family.ts";
import type { DumpedRule } from "./rule.ts";
import type { SetDefinition } from "./set.ts";

/** A set of somebody's with what is in it. */
interface FilledSet {
  readonly definition: SetDefinition;
  readonly elements: readonly DumpedElement[];
}

/** One table that takes part in forwarding IPv4. */
export interface ForwardTable {
  readonly family: FamilyName;
  readonly name: string;
  readonly chains: readonly Chain[];
  readonly rules: readonly DumpedRule[];
  readonly sets: readonly FilledSet[];
}

/**
 * The tables with a base chain at the forward hook that see IPv4, whole, but for those named in `except`
 * (`inet skdocker`). Where there are none, this is a single dump.
 */
export function readForwardTables(socket: NetlinkSocket, { except }: { except: readonly string[] }): ForwardTable[] {
  const chains = dumpChains(socket);
  const tables = new Map<string, ForwardTable>();
  for (const { family, table, base } of chains) {
    const key = `${family} ${table}`;
    if (base?.hook !== "forward" || (family !== "ip" && family !== "inet")) continue;
    if (except.includes(key) || tables.has(key)) continue;
    tables.set(key, {
      family,
      name: table,
      chains: chains.filter((chain) => chain.family === family && chain.table === table),
      rules: dumpRules(socket, { family, table }),
      sets: dumpSets(socket, { family, name: table }).map((definition) => ({
        definition,
        elements: dumpElements(socket, definition),
      })),
    });
  }
  return [...tables.values()];
}
