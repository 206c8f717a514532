/** ct: facts about the packet's connection. Source: nf_tables.h (enum nft_ct_keys). */
import type { ValueType } from "../value_type.ts";
import { declare } from "./declare.ts";

export const NFT_CT_STATE = 0;
export const NFT_CT_STATUS = 2;

const KEYS: Readonly<Record<number, { text: string; type: ValueType }>> = {
  [NFT_CT_STATE]: { text: "ct state", type: "ct_state" },
  [NFT_CT_STATUS]: { text: "ct status", type: "ct_status" },
};

export const ct = declare("ct", {
  key: [2, "u32"], // NFTA_CT_KEY
  dreg: [1, "u32", "optional"], // NFTA_CT_DREG
  direction: [3, "u8", "optional"], // NFTA_CT_DIRECTION
  sreg: [4, "u32", "optional"], // NFTA_CT_SREG
}, (fields, rule) => {
  const key = KEYS[fields.key] ?? { text: `ct key ${fields.key}`, type: "bytes" };
  if (fields.dreg !== undefined) rule.load(fields.dreg, { ...key, length: 4 });
  else if (fields.sreg !== undefined) rule.statement(`${key.text} set ${rule.operand(fields.sreg).text}`);
});
