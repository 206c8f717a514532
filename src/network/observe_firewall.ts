/** Whether a table of ours is just what the plan would make: nothing missing, nothing added, nothing moved. */
import { isKernelError } from "../../ffi/errno.ts";
import type { NetlinkSocket } from "../kernel/netlink/socket.ts";
import type { Chain } from "../kernel/nftables/chain.ts";
import { dumpChains, dumpElements, dumpRules, dumpSets, getTable } from "../kernel/nftables/dump.ts";
import { expressionsText } from "../kernel/nftables/expression.ts";
import type { NftOperation } from "../kernel/nftables/operation.ts";
import type { SetDefinition } from "../kernel/nftables/set.ts";
import type { Table } from "../kernel/nftables/table.ts";

/** Compares a table with what `wanted`, operations that make it from nothing, would make. */
export function observeTable(
  socket: NetlinkSocket,
  { table, wanted }: { table: Table; wanted: readonly NftOperation[] },
): "missing" | "damaged" | "healthy" {
  const found = getTable(socket, table);
  if (!found) return "missing";
  const expected = wantedTexts(table, wanted);
  // A dormant table does nothing; what it holds beyond chains and sets (counters, flow tables) is counted alone.
  if (found.dormant || found.comment !== table.comment || found.objects !== expected.objects) return "damaged";
  try {
    return isSame(foundTexts(socket, table, expected.sets), expected.texts) ? "healthy" : "damaged";
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return "damaged"; // a set or a chain is missing
    throw error;
  }
}

/** Chains, sets, rules and elements as text; rules in their order within a chain. */
type Texts = readonly string[];

interface Wanted {
  readonly objects: number;
  readonly sets: readonly SetDefinition[];
  readonly texts: Texts;
}

function wantedTexts({ family }: Table, wanted: readonly NftOperation[]): Wanted {
  const sets: SetDefinition[] = [];
  const texts: string[] = [];
  const order = new Map<string, number>();
  let objects = 0;
  for (const operation of wanted) {
    if ("chain" in operation) {
      objects++;
      texts.push(chainText(operation.chain));
    } else if ("set" in operation) {
      objects++;
      sets.push(operation.set);
      texts.push(setText(operation.set));
    } else if ("element" in operation) texts.push(elementText(operation.element.set.name, operation.element));
    else if ("rule" in operation && "expressions" in operation.rule) {
      const { chain, expressions } = operation.rule;
      texts.push(ruleText({ chain, place: next(order, chain) }, expressionsText(expressions, family)));
    }
  }
  return { objects, sets, texts };
}

function foundTexts(socket: NetlinkSocket, { family, name }: Table, sets: readonly SetDefinition[]): Texts {
  const ours = (chain: Chain) => chain.family === family && chain.table === name;
  const order = new Map<string, number>();
  return [
    ...dumpChains(socket).filter(ours).map(chainText),
    ...dumpSets(socket, { family, name }).map(setText),
    ...sets.flatMap((set) => dumpElements(socket, set).map((element) => elementText(set.name, element))),
    ...dumpRules(socket, { family, table: name }).map(({ chain, expressions }) =>
      ruleText({ chain, place: next(order, chain) }, expressionsText(expressions, family))
    ),
  ];
}

function next(order: Map<string, number>, chain: string): number {
  const place = (order.get(chain) ?? 0) + 1;
  order.set(chain, place);
  return place;
}

function chainText({ name, base }: Chain): string {
  // The policy is always sent for a table of ours; where it is left to the kernel, that is accept.
  return base ? `chain ${name} ${base.type} ${base.hook} ${base.priority} ${base.policy ?? "accept"}` : `chain ${name}`;
}

function setText({ name, key, data, interval }: SetDefinition): string {
  return `set ${name} ${key.join(" . ")} ${data?.join(" . ") ?? ""} ${interval === true}`;
}

function elementText(set: string, { key, comment }: { key: readonly string[]; comment?: string }): string {
  return `element ${set} ${key.join(" . ")} ${comment ?? ""}`;
}

function ruleText({ chain, place }: { chain: string; place: number }, text: string): string {
  return `rule ${chain} ${place} ${text}`;
}

function isSame(found: Texts, expected: Texts): boolean {
  return found.length === expected.length && found.toSorted().join("\n") === expected.toSorted().join("\n");
}
