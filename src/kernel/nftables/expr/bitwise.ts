/** bitwise: a register masked, (reg & mask) ^ xor. */
import { declare } from "./declare.ts";

export const bitwise = declare("bitwise", {
  sreg: [1, "u32"], // NFTA_BITWISE_SREG
  dreg: [2, "u32"], // NFTA_BITWISE_DREG
  len: [3, "u32"], // NFTA_BITWISE_LEN
  mask: [4, "value", "optional"], // NFTA_BITWISE_MASK; absent in shifts
  xor: [5, "value", "optional"], // NFTA_BITWISE_XOR
}, (fields, rule) => {
  const { text, type, length } = rule.operand(fields.sreg);
  const flips = fields.xor?.some((byte) => byte !== 0) ?? true;
  if (fields.mask === undefined || flips) rule.load(fields.dreg, { text: `bitwise(${text})`, type: "bytes", length });
  else rule.load(fields.dreg, { text, type, length, mask: fields.mask });
});
