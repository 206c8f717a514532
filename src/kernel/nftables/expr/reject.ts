/** reject: drops the packet and tells its sender. Only ever met in other tools' rules. */
import { declare } from "./declare.ts";

export const reject = declare("reject", {
  type: [1, "u32"], // NFTA_REJECT_TYPE
  code: [2, "u8", "optional"], // NFTA_REJECT_ICMP_CODE
}, (_fields, rule) => rule.statement("reject"));
