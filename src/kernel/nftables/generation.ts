/** The number of the rule set's last change: NFT_MSG_GETGEN. Apart from the rest, since every start asks for it. */
import { query } from "../netlink/message.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { messageNumber, NFGENMSG } from "./nfgenmsg.ts";

// nf_tables.h (enum nft_gen_attributes)
const GENERATION_ATTRIBUTES = { NFTA_GEN_ID: [1, "be32"] } as const;

/** The number of the rule set's last change in this namespace, anyone's: while it stays, nothing has changed. */
export function readGeneration(socket: NetlinkSocket): number {
  const question = query(
    {
      name: "NFT_MSG_GETGEN",
      number: messageNumber("NFT_MSG_GETGEN"),
      header: NFGENMSG,
      attributes: GENERATION_ATTRIBUTES,
    },
    {
      reply: {
        name: "NFT_MSG_NEWGEN",
        number: messageNumber("NFT_MSG_NEWGEN"),
        header: NFGENMSG,
        attributes: GENERATION_ATTRIBUTES,
      },
      header: { family: 0 },
      attributes: {},
      operation: "read",
      subject: "the generation of the rules",
    },
  );
  return socket.get(question).attributes.NFTA_GEN_ID ?? 0;
}
