/** Rules: expressions in a chain. Source: nf_tables.h (enum nft_rule_attributes). */
import type { AttributeWriter } from "../netlink/attributes.ts";
import { type AttributeValues, writeAttributes } from "../netlink/schema.ts";
import { type Expression, readExpressions, writeExpressions } from "./expression.ts";
import type { FamilyName } from "./family.ts";
import { commentOf, commentUserdata } from "./userdata.ts";

/** Which chain a rule stands in. */
export interface ChainName {
  readonly family: FamilyName;
  readonly table: string;
  readonly chain: string;
}

export interface Rule extends ChainName {
  readonly expressions: readonly Expression[];
  /** Told by `nft list` behind the rule; at most 127 bytes. */
  readonly comment?: string;
}

/** A rule that exists: the kernel's number for it, unique in its table. */
export interface RuleHandle extends ChainName {
  readonly handle: bigint;
}

/** A rule as the kernel has it. */
export type DumpedRule = Rule & RuleHandle;

export const RULE_ATTRIBUTES = {
  NFTA_RULE_TABLE: [1, "string"],
  NFTA_RULE_CHAIN: [2, "string"],
  NFTA_RULE_HANDLE: [3, "be64"],
  NFTA_RULE_EXPRESSIONS: [4, "bytes"],
  NFTA_RULE_USERDATA: [7, "bytes"],
} as const;

/** Writes what makes a rule. */
export function writeRule(writer: AttributeWriter, rule: Rule): void {
  writeAttributes(writer, RULE_ATTRIBUTES, { NFTA_RULE_TABLE: rule.table, NFTA_RULE_CHAIN: rule.chain });
  writeExpressions(writer, RULE_ATTRIBUTES.NFTA_RULE_EXPRESSIONS[0], rule.expressions);
  if (rule.comment === undefined) return;
  writeAttributes(writer, RULE_ATTRIBUTES, { NFTA_RULE_USERDATA: commentUserdata(rule.comment) });
}

/** Writes which rule is meant; without a handle, all of the chain's; without a chain, all of the table's. */
export function writeRuleName(
  writer: AttributeWriter,
  rule: { readonly table: string; readonly chain?: string; readonly handle?: bigint },
): void {
  writeAttributes(writer, RULE_ATTRIBUTES, {
    NFTA_RULE_TABLE: rule.table,
    NFTA_RULE_CHAIN: rule.chain,
    NFTA_RULE_HANDLE: rule.handle,
  });
}

/** The rule of an NFT_MSG_NEWRULE. */
export function readRule(values: AttributeValues<typeof RULE_ATTRIBUTES>, family: FamilyName): DumpedRule {
  const comment = values.NFTA_RULE_USERDATA && commentOf(values.NFTA_RULE_USERDATA);
  return {
    family,
    table: values.NFTA_RULE_TABLE ?? "",
    chain: values.NFTA_RULE_CHAIN ?? "",
    handle: values.NFTA_RULE_HANDLE ?? 0n,
    expressions: values.NFTA_RULE_EXPRESSIONS ? readExpressions(values.NFTA_RULE_EXPRESSIONS) : [],
    ...(comment === undefined ? {} : { comment }),
  };
}
