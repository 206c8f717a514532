/** masq: source NAT to the address of the link a packet leaves by (nft's `masquerade`). */
import { declare } from "./declare.ts";

/** A port, or an ICMP id, by chance: NF_NAT_RANGE_PROTO_RANDOM_FULLY of linux/netfilter/nf_nat.h. */
export const NF_NAT_RANGE_PROTO_RANDOM_FULLY = 16;

export const masquerade = declare("masq", {
  flags: [1, "u32", "optional"], // NFTA_MASQ_FLAGS
}, ({ flags }, rule) => {
  rule.statement(flags === NF_NAT_RANGE_PROTO_RANDOM_FULLY ? "masquerade fully-random" : "masquerade");
});
