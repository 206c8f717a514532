/** exthdr: options of TCP and of IP, read or written. Source: nf_tables.h (enum nft_exthdr_attributes). */
import { declare } from "./declare.ts";

export const NFT_EXTHDR_OP_TCPOPT = 1;
/** RFC 9293, section 3.2: option kind 2, the length at 1, the size at 2. */
export const TCPOPT_MAXSEG = { type: 2, offset: 2, len: 2 } as const;

export const exthdr = declare("exthdr", {
  dreg: [1, "u32", "optional"], // NFTA_EXTHDR_DREG
  sreg: [7, "u32", "optional"], // NFTA_EXTHDR_SREG
  type: [2, "u8"], // NFTA_EXTHDR_TYPE
  offset: [3, "u32"], // NFTA_EXTHDR_OFFSET
  len: [4, "u32"], // NFTA_EXTHDR_LEN
  op: [6, "u32", "optional"], // NFTA_EXTHDR_OP
  flags: [5, "u32", "optional"], // NFTA_EXTHDR_FLAGS
}, (fields, rule) => {
  const tcp = fields.op === NFT_EXTHDR_OP_TCPOPT;
  const size = tcp && fields.type === TCPOPT_MAXSEG.type && fields.offset === TCPOPT_MAXSEG.offset;
  const text = size ? "tcp option maxseg size" : `${tcp ? "tcp option" : "exthdr"} @${fields.type},${fields.offset}`;
  if (tcp) rule.protocolOf("transport"); // naming a TCP option implies TCP
  if (fields.sreg !== undefined) rule.statement(`${text} set ${rule.operand(fields.sreg).text}`);
  else if (fields.dreg !== undefined) rule.load(fields.dreg, { text, type: "bytes", length: fields.len });
});
