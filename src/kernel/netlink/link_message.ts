/**
 * Messages about links, as tables. Source: include/uapi/linux/rtnetlink.h, if_link.h, veth.h; rtnetlink(7).
 */
import { struct } from "../../../ffi/struct.ts";
import { AF_SPEC, AF_SPEC_CHANGE } from "./devconf.ts";
import { type AttributeTable, body, choice, nested } from "./schema.ts";

const IFINFOMSG = struct("ifinfomsg", {
  family: "u8",
  pad: "u8",
  type: "u16",
  index: "s32",
  flags: "u32",
  change: "u32",
});

/** The other end of a veth pair, at creation. */
const VETH_PEER = {
  IFLA_ADDRESS: [1, "mac"],
  IFLA_IFNAME: [3, "string"],
  IFLA_MTU: [4, "u32"],
  IFLA_NET_NS_FD: [28, "u32"],
} as const satisfies AttributeTable;

const VETH_INFO = { VETH_INFO_PEER: [1, body(IFINFOMSG, VETH_PEER)] } as const satisfies AttributeTable;

const IFLA_BR = {
  IFLA_BR_FORWARD_DELAY: [1, "u32"],
  IFLA_BR_STP_STATE: [5, "u32"],
  IFLA_BR_MCAST_SNOOPING: [23, "u8"],
  IFLA_BR_NF_CALL_IPTABLES: [36, "u8"],
} as const satisfies AttributeTable;

/** What can be set on a bridge: times in hundredths of a second. */
export const BRIDGE_OPTIONS = {
  IFLA_BR_FORWARD_DELAY: [1, "u32"],
  IFLA_BR_HELLO_TIME: [2, "u32"],
  IFLA_BR_MAX_AGE: [3, "u32"],
  IFLA_BR_AGEING_TIME: [4, "u32"],
  IFLA_BR_STP_STATE: [5, "u32"],
  IFLA_BR_PRIORITY: [6, "u16"],
  IFLA_BR_VLAN_FILTERING: [7, "u8"],
  IFLA_BR_GROUP_FWD_MASK: [9, "u16"],
  IFLA_BR_MCAST_ROUTER: [22, "u8"],
  IFLA_BR_MCAST_SNOOPING: [23, "u8"],
  IFLA_BR_MCAST_QUERIER: [25, "u8"],
  IFLA_BR_NF_CALL_IPTABLES: [36, "u8"],
  IFLA_BR_NF_CALL_IP6TABLES: [37, "u8"],
  IFLA_BR_NF_CALL_ARPTABLES: [38, "u8"],
} as const satisfies AttributeTable;

/** What can be set on a bridge's port. */
export const PORT_OPTIONS = {
  IFLA_BRPORT_PRIORITY: [2, "u16"],
  IFLA_BRPORT_COST: [3, "u32"],
  IFLA_BRPORT_MODE: [4, "u8"],
  IFLA_BRPORT_GUARD: [5, "u8"],
  IFLA_BRPORT_PROTECT: [6, "u8"],
  IFLA_BRPORT_FAST_LEAVE: [7, "u8"],
  IFLA_BRPORT_LEARNING: [8, "u8"],
  IFLA_BRPORT_UNICAST_FLOOD: [9, "u8"],
  IFLA_BRPORT_PROXYARP: [10, "u8"],
  IFLA_BRPORT_PROXYARP_WIFI: [11, "u8"],
  IFLA_BRPORT_MULTICAST_ROUTER: [25, "u8"],
  IFLA_BRPORT_MCAST_FLOOD: [27, "u8"],
  IFLA_BRPORT_MCAST_TO_UCAST: [28, "u8"],
  IFLA_BRPORT_BCAST_FLOOD: [30, "u8"],
  IFLA_BRPORT_GROUP_FWD_MASK: [31, "u16"],
  IFLA_BRPORT_NEIGH_SUPPRESS: [32, "u8"],
  IFLA_BRPORT_ISOLATED: [33, "u8"],
  IFLA_BRPORT_LOCKED: [39, "u8"],
} as const satisfies AttributeTable;

export const IFLA_BRPORT = {
  IFLA_BRPORT_STATE: [1, "u8"],
  IFLA_BRPORT_MODE: [4, "u8"],
  IFLA_BRPORT_LEARNING: [8, "u8"],
  IFLA_BRPORT_UNICAST_FLOOD: [9, "u8"],
  IFLA_BRPORT_NEIGH_SUPPRESS: [32, "u8"],
  IFLA_BRPORT_ISOLATED: [33, "u8"],
} as const satisfies AttributeTable;

const LINKINFO = {
  IFLA_INFO_KIND: [1, "text"],
  IFLA_INFO_DATA: [2, choice("IFLA_INFO_KIND", { veth: VETH_INFO, bridge: IFLA_BR })],
  IFLA_INFO_SLAVE_KIND: [4, "text"],
  IFLA_INFO_SLAVE_DATA: [5, choice("IFLA_INFO_SLAVE_KIND", { bridge: IFLA_BRPORT })],
} as const satisfies AttributeTable;

/** With all that can be set, which is more than a start wants to read. */
const LINKINFO_DETAILS = {
  ...LINKINFO,
  IFLA_INFO_DATA: [2, choice("IFLA_INFO_KIND", { veth: VETH_INFO, bridge: BRIDGE_OPTIONS })],
  IFLA_INFO_SLAVE_DATA: [5, choice("IFLA_INFO_SLAVE_KIND", { bridge: { ...IFLA_BRPORT, ...PORT_OPTIONS } })],
} as const satisfies AttributeTable;

const IFLA = {
  IFLA_ADDRESS: [1, "mac"],
  IFLA_IFNAME: [3, "string"],
  IFLA_MTU: [4, "u32"],
  IFLA_LINK: [5, "s32"],
  IFLA_MASTER: [10, "u32"],
  IFLA_OPERSTATE: [16, "u8"],
  IFLA_LINKINFO: [18, nested(LINKINFO)],
  IFLA_IFALIAS: [20, "text"],
  IFLA_GROUP: [27, "u32"],
  IFLA_NET_NS_FD: [28, "u32"],
  IFLA_EXT_MASK: [29, "u32"],
  IFLA_LINK_NETNSID: [37, "s32"],
} as const satisfies AttributeTable;

/** What the kernel tells of a link. */
export const LINK = {
  name: "RTM_NEWLINK",
  number: 16,
  header: IFINFOMSG,
  attributes: { ...IFLA, IFLA_AF_SPEC: [26, nested(AF_SPEC)] },
} as const;

/** The same with everything that somebody may have altered. */
export const LINK_DETAILS = {
  name: "RTM_NEWLINK",
  number: 16,
  header: IFINFOMSG,
  attributes: {
    ...IFLA,
    IFLA_QDISC: [6, "string"],
    IFLA_TXQLEN: [13, "u32"],
    IFLA_LINKINFO: [18, nested(LINKINFO_DETAILS)],
    IFLA_AF_SPEC: [26, nested(AF_SPEC)],
  },
} as const;

/** What it is asked to make or change. */
export const NEW_LINK = {
  name: "RTM_NEWLINK",
  number: 16,
  header: IFINFOMSG,
  attributes: {
    ...IFLA,
    IFLA_TXQLEN: [13, "u32"],
    IFLA_LINKINFO: [18, nested(LINKINFO_DETAILS)],
    IFLA_AF_SPEC: [26, nested(AF_SPEC_CHANGE)],
  },
} as const;

export const DELETE_LINK = { name: "RTM_DELLINK", number: 17, header: IFINFOMSG, attributes: IFLA } as const;
export const GET_LINK = { name: "RTM_GETLINK", number: 18, header: IFINFOMSG, attributes: IFLA } as const;
