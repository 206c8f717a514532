/**
 * match, target: extensions of the old xtables, which iptables-nft puts into its rules. Only ever met in other
 * tools' rules; `info` is the extension's own structure. Source: linux/netfilter/nf_tables_compat.h.
 */
import { declare } from "./declare.ts";

export const match = declare("match", {
  name: [1, "text"], // NFTA_MATCH_NAME
  rev: [2, "u32"], // NFTA_MATCH_REV
  info: [3, "bytes"], // NFTA_MATCH_INFO
}, (fields, rule) => rule.statement(`xt match ${fields.name}`));

export const target = declare("target", {
  name: [1, "text"], // NFTA_TARGET_NAME
  rev: [2, "u32"], // NFTA_TARGET_REV
  info: [3, "bytes"], // NFTA_TARGET_INFO
}, (fields, rule) => rule.statement(`xt target ${fields.name}`));
