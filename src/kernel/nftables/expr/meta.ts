/** meta: facts about the packet that are not in it. Source: nf_tables.h (enum nft_meta_keys). */
import type { ValueType } from "../value_type.ts";
import { declare } from "./declare.ts";

const NFT_META_MARK = 3;
export const NFT_META_IIFNAME = 6;
export const NFT_META_OIFNAME = 7;
export const NFT_META_NFPROTO = 15;
export const NFT_META_L4PROTO = 16;

interface Key {
  readonly text: string;
  readonly type: ValueType;
  readonly length: number;
  readonly settles?: "l4proto" | "nfproto";
}

const KEYS: Readonly<Record<number, Key>> = {
  [NFT_META_MARK]: { text: "meta mark", type: "mark", length: 4 },
  [NFT_META_IIFNAME]: { text: "iifname", type: "ifname", length: 16 },
  [NFT_META_OIFNAME]: { text: "oifname", type: "ifname", length: 16 },
  [NFT_META_NFPROTO]: { text: "meta nfproto", type: "nf_proto", length: 1, settles: "nfproto" },
  [NFT_META_L4PROTO]: { text: "meta l4proto", type: "inet_proto", length: 1, settles: "l4proto" },
};

export const meta = declare("meta", {
  key: [2, "u32"], // NFTA_META_KEY
  dreg: [1, "u32", "optional"], // NFTA_META_DREG
  sreg: [3, "u32", "optional"], // NFTA_META_SREG: a fact is set instead of loaded
}, (fields, rule) => {
  const key = KEYS[fields.key] ?? { text: `meta key ${fields.key}`, type: "bytes", length: 4 };
  if (fields.dreg !== undefined) rule.load(fields.dreg, key);
  else if (fields.sreg !== undefined) rule.statement(`${key.text} set ${rule.operand(fields.sreg).text}`);
});
