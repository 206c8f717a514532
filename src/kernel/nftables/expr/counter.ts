/** counter: counts what reaches it. */
import { declare } from "./declare.ts";

export const counter = declare("counter", {
  bytes: [1, "u64", "optional"], // NFTA_COUNTER_BYTES
  packets: [2, "u64", "optional"], // NFTA_COUNTER_PACKETS
}, (_fields, rule) => rule.statement("counter"));
