/** redir: destination NAT to this machine itself (nft's `redirect`). */
import { valueText } from "../value_type.ts";
import { declare } from "./declare.ts";

export const redirect = declare("redir", {
  portMin: [1, "u32", "optional"], // NFTA_REDIR_REG_PROTO_MIN
  portMax: [2, "u32", "optional"], // NFTA_REDIR_REG_PROTO_MAX
  flags: [3, "u32", "optional"], // NFTA_REDIR_FLAGS
}, (fields, rule) => {
  const port = fields.portMin === undefined ? undefined : rule.operand(fields.portMin).mask;
  rule.statement(port ? `redirect to :${valueText("inet_service", port)}` : "redirect");
});
