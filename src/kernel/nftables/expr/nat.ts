/** nat: source or destination NAT to what registers hold. Source: nf_tables.h, linux/netfilter/nf_nat.h. */
import { valueText } from "../value_type.ts";
import { declare } from "./declare.ts";
import type { RuleText } from "./rule_text.ts";

export const NFT_NAT_DNAT = 1;
/** The range names ports, too. */
export const NF_NAT_RANGE_PROTO_SPECIFIED = 2;

export const nat = declare("nat", {
  type: [1, "u32"], // NFTA_NAT_TYPE
  family: [2, "u32"], // NFTA_NAT_FAMILY
  addrMin: [3, "u32", "optional"], // NFTA_NAT_REG_ADDR_MIN
  addrMax: [4, "u32", "optional"], // NFTA_NAT_REG_ADDR_MAX
  portMin: [5, "u32", "optional"], // NFTA_NAT_REG_PROTO_MIN
  portMax: [6, "u32", "optional"], // NFTA_NAT_REG_PROTO_MAX
  flags: [7, "u32", "optional"], // NFTA_NAT_FLAGS
}, (fields, rule) => {
  const address = constant(rule, fields.addrMin);
  const port = constant(rule, fields.portMin);
  const to = (address ? valueText("ipv4_addr", address) : "") + (port ? `:${valueText("inet_service", port)}` : "");
  const verb = fields.type === NFT_NAT_DNAT ? "dnat" : "snat";
  rule.statement(`${verb} ${rule.family === "inet" ? "ip " : ""}to ${to}`);
});

function constant(rule: RuleText, register: number | undefined): Uint8Array | undefined {
  return register === undefined ? undefined : rule.operand(register).mask;
}
