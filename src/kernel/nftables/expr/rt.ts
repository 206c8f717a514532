/** rt: facts about the packet's route. Source: nf_tables.h (enum nft_rt_keys). */
import { declare } from "./declare.ts";

/** The largest TCP segment that the path takes. */
export const NFT_RT_TCPMSS = 3;

export const rt = declare("rt", {
  key: [2, "u32"], // NFTA_RT_KEY
  dreg: [1, "u32"], // NFTA_RT_DREG
}, (fields, rule) => {
  const text = fields.key === NFT_RT_TCPMSS ? "rt mtu" : `rt key ${fields.key}`;
  rule.load(fields.dreg, { text, type: "bytes", length: 4 });
});
