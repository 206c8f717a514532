/** bitwise: a register masked, (reg & mask) ^ xor. */
import { declare } from "./declare.ts";

/** Mask and flip, not a shift. */
export const NFT_BITWISE_BOOL = 0;

export const bitwise = declare("bitwise", {
  sreg: [1, "u32"], // NFTA_BITWISE_SREG
  dreg: [2, "u32"], // NFTA_BITWISE_DREG
  op: [6, "u32", "optional"], // NFTA_BITWISE_OP; absent means the boolean operation
  len: [3, "u32"], // NFTA_BITWISE_LEN
  mask: [4, "value", "optional"], // NFTA_BITWISE_MASK; absent in shifts
  xor: [5, "value", "optional"], // NFTA_BITWISE_XOR
}, (fields, rule) => {
  const { text, type, length } = rule.operand(fields.sreg);
  const flips = fields.xor?.some((byte) => byte !== 0) ?? true;
  if (fields.mask === undefined || flips) rule.load(fields.dreg, { text: `bitwise(${text})`, type: "bytes", length });
  else rule.load(fields.dreg, { text, type, length, mask: fields.mask });
});
