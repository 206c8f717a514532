/** cmp: compares a register with a constant and goes on to the next rule unless it holds. */
import { valueText } from "../value_type.ts";
import { declare } from "./declare.ts";
import type { Operand } from "./rule_text.ts";

export const NFT_CMP_EQ = 0;
export const NFT_CMP_NEQ = 1;

const SIGNS = ["==", "!=", "<", "<=", ">", ">="] as const;

export const cmp = declare("cmp", {
  sreg: [1, "u32"], // NFTA_CMP_SREG
  op: [2, "u32"], // NFTA_CMP_OP
  data: [3, "value"], // NFTA_CMP_DATA
}, (fields, rule) => {
  const operand = rule.operand(fields.sreg);
  const text = comparison(operand, fields);
  if (operand.settles && fields.op === NFT_CMP_EQ) rule.settle(operand, fields.data, text);
  else rule.statement(text);
});

function comparison(operand: Operand, { op, data }: { op: number; data: Uint8Array }): string {
  const value = (bytes: Uint8Array) => valueText(operand.type, bytes);
  if (operand.mask) {
    const mask = value(operand.mask);
    // Any of the bits: nft(8) writes `ct state new,established` for (state & bits) != 0.
    if (op === NFT_CMP_NEQ && data.every((byte) => byte === 0)) return `${operand.text} ${mask}`;
    const several = mask.includes("|") ? `(${mask})` : mask;
    return `${operand.text} & ${several} ${SIGNS[op] ?? op} ${value(data)}`;
  }
  if (operand.type === "boolean") return `${operand.text} ${value(data)}`;
  return `${operand.text} ${op === NFT_CMP_EQ ? "" : `${SIGNS[op] ?? op} `}${value(data)}`;
}
