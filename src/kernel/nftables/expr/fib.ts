/** fib: what the routing table says of an address of the packet. Source: nf_tables.h (enum nft_fib_attributes). */
import { declare } from "./declare.ts";

export const NFT_FIB_RESULT_OIF = 1;
export const NFTA_FIB_F_SADDR = 1;
export const NFTA_FIB_F_IIF = 8;
/** Whether there is a route, not which. */
export const NFTA_FIB_F_PRESENT = 32;

const FLAGS: readonly [number, string][] = [[1, "saddr"], [2, "daddr"], [4, "mark"], [8, "iif"], [16, "oif"]];
const RESULTS = ["", "oif", "oifname", "type"] as const;

export const fib = declare("fib", {
  flags: [3, "u32"], // NFTA_FIB_FLAGS
  result: [2, "u32"], // NFTA_FIB_RESULT
  dreg: [1, "u32"], // NFTA_FIB_DREG
}, (fields, rule) => {
  const key = FLAGS.filter(([bit]) => fields.flags & bit).map(([, name]) => name).join(" . ");
  const present = (fields.flags & NFTA_FIB_F_PRESENT) !== 0;
  rule.load(fields.dreg, {
    text: `fib ${key} ${RESULTS[fields.result] ?? fields.result}`,
    type: present ? "boolean" : "bytes",
    length: 4,
  });
});
