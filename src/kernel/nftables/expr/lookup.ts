/** lookup: whether a register is a key of a set, or what a map has for it. */
import { declare } from "./declare.ts";
import { registerSlot } from "./rule_text.ts";

export const NFT_LOOKUP_F_INV = 1;

/** A map's value goes to this register; the verdict register (0) makes it a verdict map. */
const NFT_REG_VERDICT = 0;

export const lookup = declare("lookup", {
  sreg: [2, "u32"], // NFTA_LOOKUP_SREG
  dreg: [3, "u32", "optional"], // NFTA_LOOKUP_DREG
  set: [1, "text"], // NFTA_LOOKUP_SET
  flags: [5, "u32", "optional"], // NFTA_LOOKUP_FLAGS
}, (fields, rule) => {
  const operands = rule.concatenation(fields.sreg);
  const key = operands.map((operand) => operand.text).join(" . ");
  if (fields.dreg === undefined) {
    return rule.statement(`${key} ${fields.flags === NFT_LOOKUP_F_INV ? "!= " : ""}@${fields.set}`);
  }
  if (fields.dreg === NFT_REG_VERDICT) return rule.statement(`${key} vmap @${fields.set}`);
  const type = operands[0]?.type ?? "bytes";
  if (registerSlot(fields.dreg) >= 0) rule.load(fields.dreg, { text: `${key} map @${fields.set}`, type, length: 0 });
});
