/**
 * The header and the numbers of nf_tables' messages. Apart from the messages themselves, which know all objects.
 * Source: nf_tables.h (enum nf_tables_msg_types), nfnetlink.h (struct nfgenmsg, NFNL_SUBSYS_NFTABLES).
 */
import { struct } from "../../../ffi/struct.ts";

export const NFGENMSG = struct("nfgenmsg", { family: "u8", version: "u8", resource: "u16" });

export const NFNL_SUBSYS_NFTABLES = 10;

const MESSAGES = {
  NFT_MSG_NEWTABLE: 0,
  NFT_MSG_GETTABLE: 1,
  NFT_MSG_DELTABLE: 2,
  NFT_MSG_NEWCHAIN: 3,
  NFT_MSG_GETCHAIN: 4,
  NFT_MSG_DELCHAIN: 5,
  NFT_MSG_NEWRULE: 6,
  NFT_MSG_GETRULE: 7,
  NFT_MSG_DELRULE: 8,
  NFT_MSG_NEWSET: 9,
  NFT_MSG_GETSET: 10,
  NFT_MSG_DELSET: 11,
  NFT_MSG_NEWSETELEM: 12,
  NFT_MSG_GETSETELEM: 13,
  NFT_MSG_DELSETELEM: 14,
  NFT_MSG_NEWGEN: 15,
  NFT_MSG_GETGEN: 16,
} as const;

export type MessageName = keyof typeof MESSAGES;

/** The type of a message of the nftables subsystem. */
export function messageNumber(name: MessageName): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | MESSAGES[name];
}
