/**
 * Network links: bridges, veth pairs, and what can be set on any link. rtnetlink(7), ip-link(8).
 *
 * Builders make requests and do nothing else; what sends them is {@link NetlinkSocket.transact}.
 */
import { addressOf, check, syscall } from "../../../ffi/libc.ts";
import { struct, type StructValues } from "../../../ffi/struct.ts";
import type { Mac } from "../mac.ts";
import { type Ipv4Settings, ipv4Settings, type Ipv6Settings, ipv6Settings } from "./devconf.ts";
import { DELETE_LINK, GET_LINK, type IFLA_BRPORT, LINK, NEW_LINK } from "./link_message.ts";
import { type MessageOf, NLM_F_CREATE, NLM_F_EXCL, query, type RawMessage, readMessage, request } from "./message.ts";
import type { Request } from "./message.ts";
import type { AttributeValues } from "./schema.ts";
import type { NetlinkSocket } from "./socket.ts";

// include/uapi/linux/if.h
const IFF_UP = 1 << 0;
const IFF_LOWER_UP = 1 << 16;

/** Flags that ip-link(8) sets, under its words: "arp on" is IFF_NOARP off. */
export const LINK_FLAGS = {
  arp: { bit: 1 << 7, inverted: true },
  promisc: { bit: 1 << 8, inverted: false },
  allmulticast: { bit: 1 << 9, inverted: false },
  multicast: { bit: 1 << 12, inverted: false },
} as const;

export type LinkFlag = keyof typeof LINK_FLAGS;

const IFNAMSIZ = 16;

// include/uapi/linux/rtnetlink.h: counters would be three quarters of an answer
const RTEXT_FILTER_SKIP_STATS = 1 << 3;
export const RTNLGRP_LINK = 1;

/** enum in6_addr_gen_mode: no link-local address is made by itself. */
const IN6_ADDR_GEN_MODE_NONE = 1;

// RFC 2863 states (include/uapi/linux/if.h) and the bridge's (if_bridge.h), by number.
const OPERSTATES = ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"] as const;
const PORT_STATES = ["disabled", "listening", "learning", "forwarding", "blocking"] as const;

export type OperState = (typeof OPERSTATES)[number];
export type PortState = (typeof PORT_STATES)[number];

/** A link as the kernel tells it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** IFF_* bits. */
  readonly flags: number;
  /** Administratively up. */
  readonly up: boolean;
  /** The carrier is there: for a veth, that its peer is up. */
  readonly lowerUp: boolean;
  /** Bytes. */
  readonly mtu: number;
  /** `undefined` for links without an Ethernet address. */
  readonly address: Mac | undefined;
  /** The bridge (or other master) it is a port of. */
  readonly master: number | undefined;
  readonly alias: string;
  /** `veth`, `bridge`, …; "" for what was not made by a link type: hardware, lo. */
  readonly kind: string;
  readonly operstate: OperState;
  readonly group: number;
  /** A veth's other end, as an index in the namespace that {@link linkNetnsId} names. */
  readonly peer: number | undefined;
  /** The id, in the socket's namespace, of the one where the peer is; `undefined` for the same. */
  readonly linkNetnsId: number | undefined;
  /** For a bridge's port. */
  readonly port: BridgePort | undefined;
  /** `undefined` for a link without IPv4, such as one whose MTU is below 68. */
  readonly ipv4: Ipv4Settings | undefined;
  readonly ipv6: Ipv6Settings | undefined;
}

/** A bridge's port. */
export interface BridgePort {
  readonly state: PortState;
  readonly hairpin: boolean;
  readonly isolated: boolean;
}

/** What can be changed on a link that exists; what is absent stays as it is. */
export interface LinkChange {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly address?: Mac;
  /** Index of the bridge; 0 takes it out of the one it is in. */
  readonly master?: number;
  readonly group?: number;
  /** At most 255 bytes; "" removes it. */
  readonly alias?: string;
  /** Only for a link that is a bridge's port before this change. */
  readonly port?: { readonly hairpin?: boolean; readonly isolated?: boolean };
  /** net.ipv4.conf.LINK.*, without the side effects that writing the sysctl has (no netconf notification). */
  readonly ipv4?: Ipv4Settings;
  /** False: no IPv6 link-local address is made when the link goes up. */
  readonly ipv6LinkLocal?: boolean;
  /** A new name; the link must be down on kernels before 6.2. */
  readonly name?: string;
  readonly flags?: Readonly<Partial<Record<LinkFlag, boolean>>>;
  /** Packets that may wait to be sent. */
  readonly queueLength?: number;
  /** For a bridge, by ip-link(8)'s words, which are the kernel's in small letters. */
  readonly options?: Readonly<Record<string, number>>;
}

/** What a link is made with. The kernel ignores alias, port and ipv4 settings here: a change sets them. */
export interface NewLink {
  readonly name: string;
  readonly up?: boolean;
  readonly mtu?: number;
  readonly address?: Mac;
  readonly master?: number;
  readonly group?: number;
}

export interface NewVeth extends NewLink {
  readonly peer: {
    readonly name: string;
    readonly mtu?: number;
    readonly address?: Mac;
    /** Descriptor of the network namespace it goes to. */
    readonly namespace?: number;
  };
}

/** A link by its name, or by its index in the socket's namespace. */
export type LinkRef = string | number;

/** Refuses what the kernel would (dev_valid_name): throws a RangeError that says why. */
export function checkLinkName(name: string): string {
  let bytes = 0;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    bytes += code < 0x80 ? 1 : code < 0x800 || (code & 0xf800) === 0xd800 ? 2 : 3; // UTF-8; a surrogate is half of 4
    if (code <= 32 || code === 47 || code === 58 || code === 160) {
      throw new RangeError(`${JSON.stringify(name)} is not an interface name: it contains ${JSON.stringify(name[i])}`);
    }
  }
  if (bytes === 0 || bytes >= IFNAMSIZ) {
    throw new RangeError(`${JSON.stringify(name)} is not an interface name: ${bytes} bytes, not 1 to 15`);
  }
  if (name === "." || name === "..") throw new RangeError(`"${name}" is not an interface name`);
  return name;
}

/** Makes a bridge; EEXIST where the name is taken. */
export function newBridge(link: NewLink): Request {
  return newLink(link, { IFLA_INFO_KIND: "bridge" });
}

/** Makes a veth pair, its far end in another namespace if one is given. EEXIST where a name is taken. */
export function newVeth(link: NewVeth): Request {
  const { peer } = link;
  const attributes = {
    IFLA_ADDRESS: peer.address,
    IFLA_MTU: peer.mtu,
    IFLA_IFNAME: checkLinkName(peer.name),
    IFLA_NET_NS_FD: peer.namespace,
  };
  return newLink(link, {
    IFLA_INFO_KIND: "veth",
    IFLA_INFO_DATA: { VETH_INFO_PEER: { header: {}, attributes } },
  });
}

function newLink(link: NewLink, info: AttributeValues<typeof NEW_LINK["attributes"]>["IFLA_LINKINFO"]): Request {
  return request(NEW_LINK, {
    operation: "make link",
    subject: link.name,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    header: link.up === undefined ? {} : { flags: link.up ? IFF_UP : 0, change: IFF_UP },
    attributes: {
      IFLA_ADDRESS: link.address,
      IFLA_MTU: link.mtu,
      IFLA_MASTER: link.master,
      IFLA_IFNAME: checkLinkName(link.name),
      IFLA_GROUP: link.group,
      IFLA_LINKINFO: info,
    },
  });
}

/** Changes a link; ENODEV where there is none. One found by its name can be renamed only by its index. */
export function changeLink(link: LinkRef, change: LinkChange): Request {
  const { ref, header } = refer(link);
  if (typeof link === "string" && change.name !== undefined) throw new TypeError("a link is renamed by its index");
  return request(NEW_LINK, {
    operation: "change link",
    subject: String(link),
    header: { ...header, ...flagsOf(change) },
    attributes: {
      ...ref,
      ...(change.name === undefined ? {} : { IFLA_IFNAME: checkLinkName(change.name) }),
      IFLA_ADDRESS: change.address,
      IFLA_MTU: change.mtu,
      IFLA_MASTER: change.master,
      IFLA_GROUP: change.group,
      IFLA_IFALIAS: change.alias,
      IFLA_TXQLEN: change.queueLength,
      IFLA_LINKINFO: change.options ? bridgeInfo(change.options) : portInfo(change.port),
      IFLA_AF_SPEC: afSpec(change),
    },
  });
}

function flagsOf({ up, flags = {} }: LinkChange): { flags?: number; change?: number } {
  if (up === undefined && Object.keys(flags).length === 0) return {};
  let [bits, change] = up === undefined ? [0, 0] : [up ? IFF_UP : 0, IFF_UP];
  for (const name in flags) {
    const { bit, inverted } = LINK_FLAGS[name as LinkFlag];
    change |= bit;
    if (flags[name as LinkFlag] !== inverted) bits |= bit;
  }
  return { flags: bits, change };
}

function bridgeInfo(options: Readonly<Record<string, number>>) {
  const data: Record<string, number> = {};
  for (const word in options) data[`IFLA_BR_${word.toUpperCase()}`] = options[word] as number;
  return { IFLA_INFO_KIND: "bridge", IFLA_INFO_DATA: data };
}

function portInfo(port: LinkChange["port"]) {
  if (port === undefined) return undefined;
  return {
    IFLA_INFO_SLAVE_KIND: "bridge",
    IFLA_INFO_SLAVE_DATA: { IFLA_BRPORT_MODE: bit(port.hairpin), IFLA_BRPORT_ISOLATED: bit(port.isolated) },
  };
}

function afSpec({ ipv4, ipv6LinkLocal }: LinkChange) {
  if (ipv4 === undefined && ipv6LinkLocal === undefined) return undefined;
  return {
    AF_INET: ipv4 && { IFLA_INET_CONF: ipv4 },
    AF_INET6: ipv6LinkLocal === undefined
      ? undefined
      : { IFLA_INET6_ADDR_GEN_MODE: ipv6LinkLocal ? 0 : IN6_ADDR_GEN_MODE_NONE },
  };
}

function bit(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

/** Removes a link (a veth with its peer); ENODEV where there is none. */
export function deleteLink(link: LinkRef): Request {
  const { ref, header } = refer(link);
  return request(DELETE_LINK, { operation: "remove link", subject: String(link), header, attributes: ref });
}

function refer(link: LinkRef): { ref: { IFLA_IFNAME?: string }; header: Partial<StructValues<{ index: "s32" }>> } {
  if (typeof link === "number") return { ref: {}, header: { index: link } };
  return { ref: { IFLA_IFNAME: checkLinkName(link) }, header: {} };
}

/** A link by name or index. Throws the KernelError ENODEV where there is none. */
export function getLink(socket: NetlinkSocket, link: LinkRef): Link {
  const { ref, header } = refer(link);
  return decodeLink(socket.get(query(GET_LINK, {
    operation: "find link",
    subject: String(link),
    header,
    attributes: { ...ref, IFLA_EXT_MASK: RTEXT_FILTER_SKIP_STATS },
    reply: LINK,
  })));
}

// include/uapi/linux/sockios.h, if.h: struct ifreq is a name of 16 bytes and a union of 24.
const SIOCGIFINDEX = 0x8933;
const IFREQ = struct("ifreq", { name: { bytes: IFNAMSIZ }, index: "s32", rest: { bytes: 20 } });

/** The index of a link, without all else that {@link getLink} reads. Throws the KernelError ENODEV where there is none. */
export function linkIndex(socket: NetlinkSocket, name: string): number {
  const bytes = IFREQ.encode({ name: new TextEncoder().encode(checkLinkName(name)) });
  const doing = { operation: "find link", subject: name };
  check(syscall("ioctl", socket.fd, SIOCGIFINDEX, addressOf(bytes)), doing);
  return IFREQ.decode(bytes).index;
}

/** All links of the socket's namespace, or the ports of one bridge. */
export function listLinks(socket: NetlinkSocket, { master }: { master?: number } = {}): Link[] {
  const found = socket.dump(query(GET_LINK, {
    operation: "list",
    subject: "links",
    attributes: { IFLA_MASTER: master, IFLA_EXT_MASK: RTEXT_FILTER_SKIP_STATS },
    reply: LINK,
  }));
  return found.map(decodeLink);
}

/** What an RTNLGRP_LINK notification says; `undefined` for one that is not about links. */
export function readLinkNotification(message: RawMessage): { removed: boolean; link: Link } | undefined {
  if (message.type !== LINK.number && message.type !== DELETE_LINK.number) return undefined;
  return { removed: message.type === DELETE_LINK.number, link: decodeLink(readMessage(LINK, message)) };
}

/** The link a message tells of. */
function decodeLink({ header, attributes }: MessageOf<typeof LINK>): Link {
  const info = attributes.IFLA_LINKINFO;
  return {
    index: header.index,
    name: attributes.IFLA_IFNAME ?? "",
    flags: header.flags,
    up: (header.flags & IFF_UP) !== 0,
    lowerUp: (header.flags & IFF_LOWER_UP) !== 0,
    mtu: attributes.IFLA_MTU ?? 0,
    address: attributes.IFLA_ADDRESS,
    master: attributes.IFLA_MASTER,
    alias: attributes.IFLA_IFALIAS ?? "",
    kind: info?.IFLA_INFO_KIND ?? "",
    operstate: OPERSTATES[attributes.IFLA_OPERSTATE ?? 0] ?? "unknown",
    group: attributes.IFLA_GROUP ?? 0,
    peer: attributes.IFLA_LINK,
    linkNetnsId: attributes.IFLA_LINK_NETNSID,
    port: info?.IFLA_INFO_SLAVE_KIND === "bridge" ? decodePort(info.IFLA_INFO_SLAVE_DATA ?? {}) : undefined,
    ipv4: ipv4Settings(attributes.IFLA_AF_SPEC),
    ipv6: ipv6Settings(attributes.IFLA_AF_SPEC),
  };
}

function decodePort(data: AttributeValues<typeof IFLA_BRPORT>): BridgePort {
  return {
    state: PORT_STATES[data.IFLA_BRPORT_STATE ?? 0] ?? "disabled",
    hairpin: data.IFLA_BRPORT_MODE === 1,
    isolated: data.IFLA_BRPORT_ISOLATED === 1,
  };
}
