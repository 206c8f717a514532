/** Operations on the rule set as the `nft` command lines a person would have typed. Pure; for sh(1) and nft(8). */
import { shellWord } from "../container/container_step.ts";
import type { BaseChain, Chain, HookName } from "../kernel/nftables/chain.ts";
import type { Element } from "../kernel/nftables/element.ts";
import { expressionsText } from "../kernel/nftables/expression.ts";
import type { NftOperation } from "../kernel/nftables/operation.ts";
import type { Rule, RuleHandle } from "../kernel/nftables/rule.ts";
import type { SetDefinition } from "../kernel/nftables/set.ts";
import type { Table } from "../kernel/nftables/table.ts";
import type { ValueType } from "../kernel/nftables/value_type.ts";
import { verdictText } from "../kernel/nftables/verdict.ts";

/** One command line for one operation, `nft add table inet skdocker`; what the shell would touch is quoted. */
export function nftLine(operation: NftOperation): string {
  return `nft ${nftWords(operation).map(shellWord).join(" ")}`;
}

/** The same as the words nft(8) is given. */
export function nftWords(operation: NftOperation): string[] {
  const { verb } = operation;
  if (verb === "destroy") return destroyWords(operation);
  if ("table" in operation) return [verb, "table", ...tableWords(operation.table, verb)];
  if ("chain" in operation) return [verb, "chain", ...chainWords(operation.chain, verb)];
  if ("set" in operation) return [verb, operation.set.data ? "map" : "set", ...setWords(operation.set, verb)];
  if ("element" in operation) return [verb, "element", ...elementWords(operation.element, verb)];
  return [verb, "rule", ...ruleWords(operation.rule)];
}

/** `nft destroy` came with nft 1.0.7 and Linux 6.3; adding and deleting in one transaction does the same anywhere. */
function destroyWords(operation: NftOperation): string[] {
  const add = nftWords({ ...operation, verb: "add" } as NftOperation); // what can be destroyed can be added
  const remove = nftWords({ ...operation, verb: "delete" } as NftOperation);
  return [`${add.join(" ")} ; ${remove.join(" ")}`];
}

function makes(verb: string): boolean {
  return verb === "add" || verb === "create";
}

function tableWords({ family, name, comment }: Table, verb: string): string[] {
  return [family, name, ...(comment !== undefined && makes(verb) ? [`{ comment ${quoted(comment)} ; }`] : [])];
}

function chainWords({ family, table, name, base }: Chain, verb: string): string[] {
  return [family, table, name, ...(base && makes(verb) ? [baseText(base)] : [])];
}

/** Names of priorities, where nft(8) knows them at that hook. */
const PRIORITY_NAMES: Readonly<Partial<Record<HookName, Readonly<Record<number, string>>>>> = {
  prerouting: { [-300]: "raw", [-100]: "dstnat", 0: "filter" },
  input: { 0: "filter" },
  forward: { 0: "filter" },
  output: { 0: "filter" },
  postrouting: { 0: "filter", 100: "srcnat" },
};

function baseText({ type, hook, priority, policy }: BaseChain): string {
  const name = PRIORITY_NAMES[hook]?.[priority] ?? priority;
  return `{ type ${type} hook ${hook} priority ${name} ;${policy ? ` policy ${policy} ;` : ""} }`;
}

function setWords({ family, table, name, key, data, interval, comment }: SetDefinition, verb: string): string[] {
  if (!makes(verb)) return [family, table, name];
  const type = data ? `${typeText(key)} : ${typeText(data)}` : typeText(key);
  const flags = interval ? " flags interval ;" : "";
  const note = comment === undefined ? "" : ` comment ${quoted(comment)} ;`;
  return [family, table, name, `{ type ${type} ;${flags}${note} }`];
}

function typeText(fields: readonly ValueType[]): string {
  return fields.join(" . ");
}

function elementWords({ set, key, data, comment }: Element, verb: string): string[] {
  const making = makes(verb);
  const note = comment !== undefined && making ? ` comment ${quoted(comment)}` : "";
  const to = data !== undefined && making ? ` : ${dataText(set, data)}` : "";
  return [set.family, set.table, set.name, `{ ${fieldsText(set.key, key)}${note}${to} }`];
}

function dataText(set: SetDefinition, data: NonNullable<Element["data"]>): string {
  return "verdict" in data ? verdictText(data) : fieldsText(set.data ?? [], data);
}

function fieldsText(types: readonly ValueType[], values: readonly string[]): string {
  return values.map((value, index) => (types[index] === "ifname" ? quoted(value) : value)).join(" . ");
}

function ruleWords(rule: Rule | RuleHandle): string[] {
  const chain = [rule.family, rule.table, rule.chain];
  if ("handle" in rule) return [...chain, "handle", String(rule.handle)];
  const comment = rule.comment === undefined ? "" : ` comment ${quoted(rule.comment)}`;
  return [...chain, expressionsText(rule.expressions, rule.family) + comment];
}

/** nft(8) knows no escape inside quotes; what is quoted here has been checked to hold none. */
function quoted(text: string): string {
  return `"${text}"`;
}
