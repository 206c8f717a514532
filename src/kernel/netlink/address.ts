/** Addresses of links. rtnetlink(7), ip-address(8); include/uapi/linux/if_addr.h. */
import { struct } from "../../../ffi/struct.ts";
import { AF_INET, AF_INET6, familyOf, formatIpNetwork, type IpAddress, type IpNetwork } from "../ip_address.ts";
import { ipv4FromNumber, lastAddress } from "../ipv4.ts";
import {
  type MessageOf,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  query,
  type RawMessage,
  readMessage,
  type Request,
  request,
} from "./message.ts";
import type { AttributeTable } from "./schema.ts";
import { type Scope, scopeName, scopeNumber } from "./scope.ts";
import type { NetlinkSocket } from "./socket.ts";

// include/uapi/linux/rtnetlink.h
export const RTNLGRP_IPV4_IFADDR = 5;

// include/uapi/linux/if_addr.h
const IFA_F_NODAD = 0x02;
const IFA_F_NOPREFIXROUTE = 0x200;

const IFADDRMSG = struct("ifaddrmsg", { family: "u8", prefix: "u8", flags: "u8", scope: "u8", index: "u32" });

const IFA = {
  IFA_ADDRESS: [1, "ip"],
  IFA_LOCAL: [2, "ip"],
  IFA_LABEL: [3, "string"],
  IFA_BROADCAST: [4, "ip"],
  IFA_FLAGS: [8, "u32"],
} as const satisfies AttributeTable;

const ADDRESS = { name: "RTM_NEWADDR", number: 20, header: IFADDRMSG, attributes: IFA } as const;
const DELETE_ADDRESS = { name: "RTM_DELADDR", number: 21, header: IFADDRMSG, attributes: IFA } as const;
const GET_ADDRESS = { name: "RTM_GETADDR", number: 22, header: IFADDRMSG, attributes: IFA } as const;

/** An address of a link. */
export interface LinkAddress extends IpNetwork {
  /** The link's index. */
  readonly link: number;
  readonly scope: Scope;
  /** IFA_F_* bits. */
  readonly flags: number;
  /** For a point-to-point address: the other end; {@link address} is this one. */
  readonly peer: IpAddress | undefined;
  readonly broadcast: IpAddress | undefined;
}

/** An address to give to a link. */
export interface NewAddress extends IpNetwork {
  readonly link: number;
  /** IPv4: set the network's last address as broadcast address, as `ip addr add … brd +` does. */
  readonly broadcast?: boolean;
  /** Default: `global`, or `host` for 127.0.0.0/8 as ip(8) has it. */
  readonly scope?: Scope;
  /** No route to the address's network is made. */
  readonly noPrefixRoute?: boolean;
  /** IPv6: it can be used at once, without duplicate address detection. */
  readonly noDad?: boolean;
}

/** Adds an address; EEXIST where the link has it. */
export function newAddress(address: NewAddress): Request {
  return addressRequest(address, { flags: NLM_F_CREATE | NLM_F_EXCL, operation: "add address" });
}

/** Adds an address, or changes the one that is there: done twice, it is done once. */
export function replaceAddress(address: NewAddress): Request {
  return addressRequest(address, { flags: NLM_F_CREATE | NLM_F_REPLACE, operation: "set address" });
}

function addressRequest(address: NewAddress, how: { flags: number; operation: string }): Request {
  const { link, prefix } = address;
  const ip = address.address;
  const flags = (address.noPrefixRoute ? IFA_F_NOPREFIXROUTE : 0) | (address.noDad ? IFA_F_NODAD : 0);
  const scope = address.scope ?? (typeof ip === "number" && ip >>> 24 === 127 ? "host" : "global");
  return request(ADDRESS, {
    ...how,
    subject: formatIpNetwork(address),
    header: { family: familyOf(ip), prefix, scope: scopeNumber(scope), index: link },
    attributes: {
      IFA_LOCAL: ip,
      IFA_FLAGS: flags === 0 ? undefined : flags,
      IFA_ADDRESS: ip,
      IFA_BROADCAST: address.broadcast && typeof ip === "number"
        ? lastAddress({ address: ipv4FromNumber(ip), prefix })
        : undefined,
    },
  });
}

/** Takes an address from a link; EADDRNOTAVAIL where it does not have it. */
export function deleteAddress(address: IpNetwork & { readonly link: number }): Request {
  const ip = address.address;
  return request(DELETE_ADDRESS, {
    operation: "remove address",
    subject: formatIpNetwork(address),
    header: { family: familyOf(ip), prefix: address.prefix, index: address.link },
    attributes: { IFA_LOCAL: ip, IFA_ADDRESS: ip },
  });
}

/** Which addresses to list: those of a link, of a family; all of the socket's namespace without either. */
export interface AddressFilter {
  readonly link?: number;
  readonly family?: "ipv4" | "ipv6";
}

/** The addresses in the socket's namespace. ENODEV where the link is not there. */
export function listAddresses(socket: NetlinkSocket, { link, family }: AddressFilter = {}): LinkAddress[] {
  const number = family === undefined ? 0 : family === "ipv4" ? AF_INET : AF_INET6;
  const found = socket.dump(query(GET_ADDRESS, {
    operation: "list",
    subject: "addresses",
    header: { family: number, index: link ?? 0 },
    reply: ADDRESS,
  }));
  return found.map(decodeAddress);
}

/** What a notification of the address groups says; `undefined` for one about something else. */
export function readAddressNotification(
  message: RawMessage,
): { removed: boolean; address: LinkAddress } | undefined {
  if (message.type !== ADDRESS.number && message.type !== DELETE_ADDRESS.number) return undefined;
  return {
    removed: message.type === DELETE_ADDRESS.number,
    address: decodeAddress(readMessage(ADDRESS, message)),
  };
}

/** The address a message tells of. Throws a RangeError for one that has none. */
function decodeAddress({ header, attributes }: MessageOf<typeof ADDRESS>): LinkAddress {
  const { IFA_ADDRESS, IFA_LOCAL } = attributes;
  // IPv6 without a peer has IFA_ADDRESS alone; IPv4 has both, IFA_LOCAL being the link's own.
  const address = IFA_LOCAL ?? IFA_ADDRESS;
  if (address === undefined) throw new RangeError("the kernel told of an address without IFA_ADDRESS");
  return {
    address,
    prefix: header.prefix,
    link: header.index,
    scope: scopeName(header.scope),
    flags: attributes.IFA_FLAGS ?? header.flags,
    peer: IFA_ADDRESS === address ? undefined : IFA_ADDRESS,
    broadcast: attributes.IFA_BROADCAST,
  };
}
