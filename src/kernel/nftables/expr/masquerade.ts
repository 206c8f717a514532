/** masq: source NAT to the address of the link a packet leaves by (nft's `masquerade`). */
import { declare } from "./declare.ts";

export const masquerade = declare("masq", {
  flags: [1, "u32", "optional"], // NFTA_MASQ_FLAGS
}, (_fields, rule) => rule.statement("masquerade"));
