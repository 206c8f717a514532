/**
 * What can be altered on a link beside what {@link Link} tells: to find out whether it still is as a new one.
 * Source: net/bridge/br_if.c (new_nbp), br_device.c (br_dev_setup), drivers/net/veth.c: what a new one has.
 */
import type { Ipv4Settings } from "./devconf.ts";
import { ipv4Settings } from "./devconf.ts";
import { LINK_FLAGS, type LinkFlag } from "./link.ts";
import { BRIDGE_OPTIONS, GET_LINK, LINK_DETAILS, PORT_OPTIONS } from "./link_message.ts";
import { query } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

const RTEXT_FILTER_SKIP_STATS = 1 << 3;

/** What a new bridge or veth has. */
const NEW_FLAGS: Readonly<Record<LinkFlag, boolean>> = {
  arp: true,
  promisc: false,
  allmulticast: false,
  multicast: true,
};

const NEW_QUEUE_LENGTH = 1000;

const NEW_BRIDGE: Readonly<Record<keyof typeof BRIDGE_OPTIONS, number>> = {
  IFLA_BR_FORWARD_DELAY: 1500,
  IFLA_BR_HELLO_TIME: 200,
  IFLA_BR_MAX_AGE: 2000,
  IFLA_BR_AGEING_TIME: 30000,
  IFLA_BR_STP_STATE: 0,
  IFLA_BR_PRIORITY: 32768,
  IFLA_BR_VLAN_FILTERING: 0,
  IFLA_BR_GROUP_FWD_MASK: 0,
  IFLA_BR_MCAST_ROUTER: 1,
  IFLA_BR_MCAST_SNOOPING: 1,
  IFLA_BR_MCAST_QUERIER: 0,
  IFLA_BR_NF_CALL_IPTABLES: 0,
  IFLA_BR_NF_CALL_IP6TABLES: 0,
  IFLA_BR_NF_CALL_ARPTABLES: 0,
};

const NEW_PORT: Readonly<Record<keyof typeof PORT_OPTIONS, number>> = {
  IFLA_BRPORT_PRIORITY: 32,
  IFLA_BRPORT_COST: 2, // of 10 Gbit/s, which a veth says it has
  IFLA_BRPORT_MODE: 0,
  IFLA_BRPORT_GUARD: 0,
  IFLA_BRPORT_PROTECT: 0,
  IFLA_BRPORT_FAST_LEAVE: 0,
  IFLA_BRPORT_LEARNING: 1,
  IFLA_BRPORT_UNICAST_FLOOD: 1,
  IFLA_BRPORT_PROXYARP: 0,
  IFLA_BRPORT_PROXYARP_WIFI: 0,
  IFLA_BRPORT_MULTICAST_ROUTER: 1,
  IFLA_BRPORT_MCAST_FLOOD: 1,
  IFLA_BRPORT_MCAST_TO_UCAST: 0,
  IFLA_BRPORT_BCAST_FLOOD: 1,
  IFLA_BRPORT_GROUP_FWD_MASK: 0,
  IFLA_BRPORT_NEIGH_SUPPRESS: 0,
  IFLA_BRPORT_ISOLATED: 0,
  IFLA_BRPORT_LOCKED: 0,
};

/** What somebody has altered on a link: each thing with the value that a new one has. */
export interface AlteredLink {
  readonly flags: Readonly<Partial<Record<LinkFlag, boolean>>>;
  /** undefined where it is a new link's. */
  readonly queueLength: number | undefined;
  readonly group: number | undefined;
  /** Of a bridge, by ip-link(8)'s words, which are the kernel's in small letters. */
  readonly options: Readonly<Record<string, number>>;
  /** Names of what was altered on a bridge's port; its hairpin mode is not looked at. */
  readonly port: readonly string[];
  /** Whether somebody gave it a queueing discipline. */
  readonly queued: boolean;
  /** net.ipv4.conf.LINK, not compared. */
  readonly ipv4: Ipv4Settings;
}

/** Holds a link (a bridge or a veth) against a new one. Throws the KernelError ENODEV where there is none. */
export function readAlterations(socket: NetlinkSocket, index: number): AlteredLink {
  const { header, attributes } = socket.get(query(GET_LINK, {
    operation: "find link",
    subject: String(index),
    header: { index },
    attributes: { IFLA_EXT_MASK: RTEXT_FILTER_SKIP_STATS },
    reply: LINK_DETAILS,
  }));
  const { IFLA_LINKINFO: info, IFLA_TXQLEN: queue = NEW_QUEUE_LENGTH, IFLA_GROUP: group = 0, IFLA_QDISC: qdisc } =
    attributes;
  const bridge = info?.IFLA_INFO_KIND === "bridge" ? Object(info.IFLA_INFO_DATA) : {};
  const port = info?.IFLA_INFO_SLAVE_KIND === "bridge" ? Object(info.IFLA_INFO_SLAVE_DATA) : {};
  return {
    flags: alteredFlags(header.flags),
    queueLength: queue === NEW_QUEUE_LENGTH ? undefined : NEW_QUEUE_LENGTH,
    group: group === 0 ? undefined : 0,
    options: Object.fromEntries(
      altered(bridge, NEW_BRIDGE).map((name) => [bridgeWord(name), NEW_BRIDGE[name as keyof typeof NEW_BRIDGE]]),
    ),
    port: altered(port, NEW_PORT).filter((name) => name !== "IFLA_BRPORT_MODE"),
    queued: qdisc !== undefined && qdisc !== "noqueue" && qdisc !== "noop",
    ipv4: ipv4Settings(attributes.IFLA_AF_SPEC) ?? {},
  };
}

function alteredFlags(flags: number): AlteredLink["flags"] {
  const altered: Partial<Record<LinkFlag, boolean>> = {};
  for (const name of Object.keys(LINK_FLAGS) as LinkFlag[]) {
    const { bit, inverted } = LINK_FLAGS[name];
    if (((flags & bit) !== 0) !== inverted !== NEW_FLAGS[name]) altered[name] = NEW_FLAGS[name];
  }
  return altered;
}

/** Names of the values that are not a new one's; what the kernel does not tell is not compared. */
function altered(values: Readonly<Record<string, unknown>>, fresh: Readonly<Record<string, number>>): string[] {
  return Object.keys(fresh).filter((name) => values[name] !== undefined && values[name] !== fresh[name]);
}

function bridgeWord(name: string): string {
  return name.slice("IFLA_BR_".length).toLowerCase();
}
