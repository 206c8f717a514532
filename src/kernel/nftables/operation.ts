/** One change to the rule set: one `nft` command line, one or more messages of a batch. */
import type { Chain } from "./chain.ts";
import type { Element } from "./element.ts";
import type { Rule, RuleHandle } from "./rule.ts";
import type { SetDefinition } from "./set.ts";
import type { Table } from "./table.ts";

/**
 * `add`: makes it unless it exists; `create`: refuses with EEXIST where it exists; `delete`: refuses with ENOENT
 * where it does not; `destroy`: removes it if it exists (add and delete in one: the kernel's own DESTROY
 * messages need Linux 6.3).
 */
type Verb = "add" | "create" | "delete" | "destroy";

export type NftOperation =
  | { readonly verb: Verb | "flush"; readonly table: Table }
  | { readonly verb: Verb | "flush"; readonly chain: Chain }
  | { readonly verb: Verb; readonly set: SetDefinition }
  | { readonly verb: Verb; readonly element: Element }
  /** `add` appends to the chain, `insert` puts the rule before all others. */
  | { readonly verb: "add" | "insert"; readonly rule: Rule }
  | { readonly verb: "delete"; readonly rule: RuleHandle };

/** What an operation does and to what, for errors and traces: `add element`, `inet skdocker networks skbr0`. */
export function describeOperation(operation: NftOperation): { operation: string; subject: string } {
  const { verb } = operation;
  if ("table" in operation) {
    return { operation: `${verb} table`, subject: `${operation.table.family} ${operation.table.name}` };
  }
  if ("chain" in operation) return { operation: `${verb} chain`, subject: path(operation.chain) };
  if ("set" in operation) {
    return { operation: `${verb} ${operation.set.data ? "map" : "set"}`, subject: path(operation.set) };
  }
  if ("element" in operation) {
    const { set, key } = operation.element;
    return { operation: `${verb} element`, subject: `${path(set)} ${key.join(" . ")}` };
  }
  const { rule } = operation;
  const which = "handle" in rule ? `handle ${rule.handle}` : rule.comment ?? "";
  return { operation: `${verb} rule`, subject: `${rule.family} ${rule.table} ${rule.chain} ${which}`.trimEnd() };
}

function path(object: { family: string; table: string; name: string }): string {
  return `${object.family} ${object.table} ${object.name}`;
}
