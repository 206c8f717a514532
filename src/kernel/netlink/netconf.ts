/**
 * Notifications of changed forwarding settings: someone's write to net.ipv4.ip_forward sets it on all links.
 * Source: include/uapi/linux/netconf.h. The kernel sends none where the setting came by RTM_NEWLINK.
 */
import { struct } from "../../../ffi/struct.ts";
import { AF_INET } from "../ip_address.ts";
import { type RawMessage, readMessage } from "./message.ts";
import type { AttributeTable } from "./schema.ts";

// include/uapi/linux/rtnetlink.h
export const RTNLGRP_IPV4_NETCONF = 24;

const NETCONFA = {
  NETCONFA_IFINDEX: [1, "s32"],
  NETCONFA_FORWARDING: [2, "s32"],
  NETCONFA_RP_FILTER: [3, "s32"],
} as const satisfies AttributeTable;

const NETCONF = {
  name: "RTM_NEWNETCONF",
  number: 80,
  header: struct("netconfmsg", { family: "u8" }),
  attributes: NETCONFA,
} as const;

/** A changed setting; what it does not tell is `undefined`. */
export interface NetconfChange {
  readonly family: "ipv4" | "ipv6";
  /** A link's index, or whom else the setting is for: all links, or those made from now on. */
  readonly link: number | "all" | "default";
  readonly forwarding: boolean | undefined;
  readonly rpFilter: number | undefined;
}

/** What a notification of the netconf groups says; `undefined` for one about something else. */
export function readNetconfNotification(message: RawMessage): NetconfChange | undefined {
  if (message.type !== NETCONF.number) return undefined;
  const { header, attributes } = readMessage(NETCONF, message);
  const { NETCONFA_IFINDEX: index, NETCONFA_FORWARDING: forwarding } = attributes;
  return {
    family: header.family === AF_INET ? "ipv4" : "ipv6",
    // NETCONFA_IFINDEX_ALL, NETCONFA_IFINDEX_DEFAULT
    link: index === undefined || index === -1 ? "all" : index === -2 ? "default" : index,
    forwarding: forwarding === undefined ? undefined : forwarding !== 0,
    rpFilter: attributes.NETCONFA_RP_FILTER,
  };
}
