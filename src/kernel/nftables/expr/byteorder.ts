/** byteorder: turns a register from or to network order. nft(8) inserts it by itself, so it has no text. */
import { declare } from "./declare.ts";

export const NFT_BYTEORDER_HTON = 1;

export const byteorder = declare("byteorder", {
  sreg: [1, "u32"], // NFTA_BYTEORDER_SREG
  dreg: [2, "u32"], // NFTA_BYTEORDER_DREG
  op: [3, "u32"], // NFTA_BYTEORDER_OP
  len: [4, "u32"], // NFTA_BYTEORDER_LEN
  size: [5, "u32"], // NFTA_BYTEORDER_SIZE
}, (fields, rule) => rule.load(fields.dreg, rule.operand(fields.sreg)));
