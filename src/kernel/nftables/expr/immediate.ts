/** immediate: a constant into a register; into the verdict register, it is the rule's verdict. */
import { verdictText } from "../verdict.ts";
import { declare } from "./declare.ts";

export const NFT_REG_VERDICT = 0;

export const immediate = declare("immediate", {
  dreg: [1, "u32"], // NFTA_IMMEDIATE_DREG
  data: [2, "data"], // NFTA_IMMEDIATE_DATA
}, (fields, rule) => {
  if ("verdict" in fields.data) rule.statement(verdictText(fields.data));
  else {
    // What the bytes mean is known by who uses the register (nat, redir); these take raw bytes.
    rule.load(fields.dreg, { text: "", type: "bytes", length: fields.data.value.length, mask: fields.data.value });
  }
});
