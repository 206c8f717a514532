/** Neighbours: which Ethernet address an IP address of a link has. rtnetlink(7), ip-neighbour(8), neighbour.h. */
import { struct } from "../../../ffi/struct.ts";
import { AF_INET, AF_INET6, familyOf, formatIp, type IpAddress } from "../ip_address.ts";
import type { Mac } from "../mac.ts";
import {
  type MessageOf,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  query,
  type RawMessage,
  readMessage,
  type Request,
  request,
} from "./message.ts";
import type { AttributeTable } from "./schema.ts";
import type { NetlinkSocket } from "./socket.ts";

/** NUD_*: what the kernel thinks of an entry. */
const STATES = {
  none: 0x00,
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const;

export type NeighbourState = keyof typeof STATES;

const NDMSG = struct("ndmsg", {
  family: "u8",
  pad1: "u8",
  pad2: "u16",
  link: "s32",
  state: "u16",
  flags: "u8",
  type: "u8",
});

const NDA = {
  NDA_DST: [1, "ip"],
  NDA_LLADDR: [2, "mac"],
  NDA_IFINDEX: [8, "u32"],
} as const satisfies AttributeTable;

const NEIGHBOUR = { name: "RTM_NEWNEIGH", number: 28, header: NDMSG, attributes: NDA } as const;
const DELETE_NEIGHBOUR = { name: "RTM_DELNEIGH", number: 29, header: NDMSG, attributes: NDA } as const;
const GET_NEIGHBOUR = { name: "RTM_GETNEIGH", number: 30, header: NDMSG, attributes: NDA } as const;

/** An entry of a link's neighbour table. */
export interface Neighbour {
  readonly link: number;
  readonly address: IpAddress;
  /** `undefined` while it is being asked for, or when nobody answered. */
  readonly mac: Mac | undefined;
  readonly state: NeighbourState;
}

/** An entry by its place. */
export interface NeighbourRef {
  readonly link: number;
  readonly address: IpAddress;
}

/** An entry to write. */
export interface NewNeighbour extends NeighbourRef {
  readonly mac: Mac;
  /** Default: `reachable`, which the kernel verifies again in time; `permanent` stays. */
  readonly state?: NeighbourState;
}

/** Writes an entry, in place of the one that is there if there is one. */
export function replaceNeighbour({ link, address, mac, state = "reachable" }: NewNeighbour): Request {
  return request(NEIGHBOUR, {
    operation: "set neighbour",
    subject: formatIp(address),
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    header: { family: familyOf(address), link, state: STATES[state] },
    attributes: { NDA_DST: address, NDA_LLADDR: mac },
  });
}

/** Removes an entry; ENOENT where there is none. */
export function deleteNeighbour({ link, address }: NeighbourRef): Request {
  return request(DELETE_NEIGHBOUR, {
    operation: "remove neighbour",
    subject: formatIp(address),
    header: { family: familyOf(address), link },
    attributes: { NDA_DST: address },
  });
}

/** One entry. Throws the KernelError ENOENT where there is none. */
export function getNeighbour(socket: NetlinkSocket, { link, address }: NeighbourRef): Neighbour {
  return decodeNeighbour(socket.get(query(GET_NEIGHBOUR, {
    operation: "find neighbour",
    subject: formatIp(address),
    header: { family: familyOf(address), link },
    attributes: { NDA_DST: address },
    reply: NEIGHBOUR,
  })));
}

/** Which entries to list: those of a link, of a family; all of the socket's namespace without either. */
export interface NeighbourFilter {
  readonly link?: number;
  readonly family?: "ipv4" | "ipv6";
}

/** The neighbour tables of the socket's namespace. */
export function listNeighbours(socket: NetlinkSocket, { link, family }: NeighbourFilter = {}): Neighbour[] {
  const found = socket.dump(query(GET_NEIGHBOUR, {
    operation: "list",
    subject: "neighbours",
    header: { family: family === undefined ? 0 : family === "ipv4" ? AF_INET : AF_INET6 },
    attributes: { NDA_IFINDEX: link },
    reply: NEIGHBOUR,
  }));
  const neighbours: Neighbour[] = [];
  for (const message of found) {
    // Other families have tables of their own: a bridge's forwarding entries come as AF_BRIDGE.
    const { family: number } = message.header;
    if (number === AF_INET || number === AF_INET6) neighbours.push(decodeNeighbour(message));
  }
  return neighbours;
}

/** What an RTNLGRP_NEIGH notification says; `undefined` for one about something else. */
export function readNeighbourNotification(
  message: RawMessage,
): { removed: boolean; neighbour: Neighbour } | undefined {
  if (message.type !== NEIGHBOUR.number && message.type !== DELETE_NEIGHBOUR.number) return undefined;
  const entry = readMessage(NEIGHBOUR, message);
  if (entry.header.family !== AF_INET && entry.header.family !== AF_INET6) return undefined;
  return { removed: message.type === DELETE_NEIGHBOUR.number, neighbour: decodeNeighbour(entry) };
}

/** The entry a message tells of. Throws a RangeError for one without an address. */
function decodeNeighbour({ header, attributes }: MessageOf<typeof NEIGHBOUR>): Neighbour {
  if (attributes.NDA_DST === undefined) throw new RangeError("the kernel told of a neighbour without NDA_DST");
  return { link: header.link, address: attributes.NDA_DST, mac: attributes.NDA_LLADDR, state: stateName(header.state) };
}

function stateName(number: number): NeighbourState {
  for (const name in STATES) {
    if (STATES[name as NeighbourState] === number) return name as NeighbourState;
  }
  return "none";
}
