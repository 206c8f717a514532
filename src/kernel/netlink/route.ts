/** Routes. rtnetlink(7), ip-route(8); include/uapi/linux/rtnetlink.h. */
import { struct } from "../../../ffi/struct.ts";
import {
  addressBits,
  AF_INET,
  AF_INET6,
  familyOf,
  formatIp,
  formatIpNetwork,
  type IpAddress,
  type IpNetwork,
} from "../ip_address.ts";
import { ipv4FromNumber } from "../ipv4.ts";
import { parseIpv6 } from "../ipv6.ts";
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
import { align, AttributeReader } from "./attributes.ts";
import { type AttributeTable, nested, readAttributes } from "./schema.ts";
import { type Scope, scopeName, scopeNumber } from "./scope.ts";
import type { NetlinkSocket } from "./socket.ts";

export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;
const RT_TABLE_UNSPEC = 0;

/** Of {@link Route.protocol}: made by the kernel itself, for an address. */
export const RTPROT_KERNEL = 2;

const RTNH_F_ONLINK = 4;
const RTM_F_CLONED = 0x200;
/** The answer is to name the table where the route was found. */
const RTM_F_LOOKUP_TABLE = 0x1000;

/** RTPROT_*: who made a route. 0 to 4 are the kernel's and ip(8)'s. */
const PROTOCOLS = { unspec: 0, redirect: 1, kernel: RTPROT_KERNEL, boot: 3, static: 4, ra: 9, dhcp: 16 } as const;

/** RTN_*: what becomes of a packet. */
// deno-fmt-ignore
const TYPES = [
  "unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw",
] as const;

export type RouteType = (typeof TYPES)[number];

const RTMSG = struct("rtmsg", {
  family: "u8",
  prefix: "u8",
  sourcePrefix: "u8",
  tos: "u8",
  table: "u8",
  protocol: "u8",
  scope: "u8",
  type: "u8",
  flags: "u32",
});

const RTA = {
  RTA_DST: [1, "ip"],
  RTA_SRC: [2, "ip"],
  RTA_IIF: [3, "u32"],
  RTA_OIF: [4, "u32"],
  RTA_GATEWAY: [5, "ip"],
  RTA_PRIORITY: [6, "u32"],
  RTA_PREFSRC: [7, "ip"],
  RTA_METRICS: [8, nested({ RTAX_MTU: [2, "u32"] })],
  RTA_MULTIPATH: [9, "bytes"],
  RTA_TABLE: [15, "u32"],
} as const satisfies AttributeTable;

const ROUTE = { name: "RTM_NEWROUTE", number: 24, header: RTMSG, attributes: RTA } as const;
const DELETE_ROUTE = { name: "RTM_DELROUTE", number: 25, header: RTMSG, attributes: RTA } as const;
const GET_ROUTE = { name: "RTM_GETROUTE", number: 26, header: RTMSG, attributes: RTA } as const;

/** A next hop of a route: the link, the gateway, or both. */
export interface NextHop {
  readonly link: number | undefined;
  readonly gateway: IpAddress | undefined;
}

/** A route as the kernel tells it. */
export interface Route extends NextHop {
  readonly family: "ipv4" | "ipv6";
  /** With prefix 0 for the default route. */
  readonly destination: IpNetwork;
  readonly table: number;
  readonly type: RouteType;
  readonly scope: Scope;
  /** RTPROT_*. */
  readonly protocol: number;
  readonly priority: number;
  /** The source address of packets that have none. */
  readonly source: IpAddress | undefined;
  readonly onlink: boolean;
  /** RTAX_MTU, in bytes. */
  readonly mtu: number | undefined;
  /** Of a route with several next hops, all of them; otherwise empty. */
  readonly hops: readonly NextHop[];
}

/** A route to make or to remove. */
export interface NewRoute {
  /** `undefined`: the default route, of the gateway's family or IPv4. */
  readonly destination?: IpNetwork;
  readonly gateway?: IpAddress;
  /** The link's index; may be left out where a gateway tells it. */
  readonly link?: number;
  /** Default: `link` for an IPv4 unicast route without gateway, otherwise `global`. */
  readonly scope?: Scope;
  readonly source?: IpAddress;
  /** Default: main. */
  readonly table?: number;
  readonly priority?: number;
  readonly protocol?: keyof typeof PROTOCOLS;
  readonly type?: RouteType;
  /** The gateway is on the link although no address of the link says so. */
  readonly onlink?: boolean;
  readonly mtu?: number;
}

/** Makes a route; EEXIST where there is one to that destination with that priority in the table. */
export function newRoute(route: NewRoute): Request {
  return request(ROUTE, {
    operation: "add route",
    flags: NLM_F_CREATE | NLM_F_EXCL,
    ...routeParts(route),
  });
}

/** Makes a route, in place of the one to that destination with that priority if there is one. */
export function replaceRoute(route: NewRoute): Request {
  return request(ROUTE, {
    operation: "set route",
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    ...routeParts(route),
  });
}

/** Removes the first route that has everything said of it; ESRCH where there is none. */
export function deleteRoute(route: NewRoute): Request {
  const parts = routeParts(route);
  const anyOf = { scope: route.scope === undefined ? scopeNumber("nowhere") : parts.header.scope };
  return request(DELETE_ROUTE, {
    operation: "remove route",
    ...parts,
    header: {
      ...parts.header,
      ...anyOf,
      protocol: route.protocol === undefined ? 0 : parts.header.protocol,
      type: route.type === undefined ? 0 : parts.header.type,
    },
  });
}

function routeParts(route: NewRoute) {
  const { destination, gateway } = route;
  const family = familyOf(destination?.address ?? gateway ?? ipv4FromNumber(0));
  const table = route.table ?? RT_TABLE_MAIN;
  const type = route.type ?? "unicast";
  const direct = gateway === undefined && type === "unicast" && family === AF_INET;
  return {
    subject: routeText(route),
    header: {
      family,
      prefix: destination?.prefix ?? 0,
      table: table > 255 ? RT_TABLE_UNSPEC : table,
      protocol: PROTOCOLS[route.protocol ?? "boot"],
      scope: scopeNumber(route.scope ?? (direct ? "link" : "global")),
      type: TYPES.indexOf(type),
      flags: route.onlink ? RTNH_F_ONLINK : 0,
    },
    attributes: {
      RTA_DST: destination === undefined || destination.prefix === 0 ? undefined : destination.address,
      RTA_GATEWAY: gateway,
      RTA_PREFSRC: route.source,
      RTA_TABLE: table > 255 ? table : undefined,
      RTA_PRIORITY: route.priority,
      RTA_OIF: route.link,
      RTA_METRICS: route.mtu === undefined ? undefined : { RTAX_MTU: route.mtu },
    },
  };
}

/** `default via 172.16.0.1`, `172.16.0.0/16 dev 3` */
function routeText({ destination, gateway, link }: NewRoute): string {
  const to = destination === undefined || destination.prefix === 0 ? "default" : formatIpNetwork(destination);
  const via = gateway === undefined ? "" : ` via ${formatIp(gateway)}`;
  return `${to}${via}${gateway === undefined && link !== undefined ? ` dev ${link}` : ""}`;
}

/** Which routes to list. The kernel does not tell of its own cached ones. */
export interface RouteFilter {
  readonly family?: "ipv4" | "ipv6";
  /** Default: all tables. */
  readonly table?: number;
  /** Routes out of this link. */
  readonly link?: number;
}

/** The routes of the socket's namespace, of both families and all tables unless the filter says otherwise. */
export function listRoutes(socket: NetlinkSocket, { family, table, link }: RouteFilter = {}): Route[] {
  const found = socket.dump(query(GET_ROUTE, {
    operation: "list",
    subject: "routes",
    header: { family: family === undefined ? 0 : family === "ipv4" ? AF_INET : AF_INET6 },
    attributes: { RTA_OIF: link, RTA_TABLE: table },
    reply: ROUTE,
  }));
  const routes: Route[] = [];
  for (const message of found) {
    if (isIpRoute(message)) routes.push(decodeRoute(message));
  }
  return routes;
}

/** Asks for the IPv4 routes of the main table. */
export function mainRoutesQuery() {
  return query(GET_ROUTE, {
    operation: "list",
    subject: "routes",
    header: { family: AF_INET },
    attributes: { RTA_TABLE: RT_TABLE_MAIN },
    reply: ROUTE,
  });
}

/** MPLS and multicast routes are dumped as well, with families of their own. */
function isIpRoute({ header }: MessageOf<typeof ROUTE>): boolean {
  return (header.family === AF_INET || header.family === AF_INET6) && (header.flags & RTM_F_CLONED) === 0;
}

/** The route a packet to `address` would take. Throws the KernelError ENETUNREACH where there is none. */
export function getRoute(socket: NetlinkSocket, address: IpAddress): Route {
  return decodeRoute(socket.get(query(GET_ROUTE, {
    operation: "find a route to",
    subject: formatIp(address),
    header: { family: familyOf(address), prefix: addressBits(address), flags: RTM_F_LOOKUP_TABLE },
    attributes: { RTA_DST: address },
    reply: ROUTE,
  })));
}

/** What a notification of the route groups says; `undefined` for one about something else. */
export function readRouteNotification(message: RawMessage): { removed: boolean; route: Route } | undefined {
  if (message.type !== ROUTE.number && message.type !== DELETE_ROUTE.number) return undefined;
  return { removed: message.type === DELETE_ROUTE.number, route: decodeRoute(readMessage(ROUTE, message)) };
}

/** The route a message tells of. */
function decodeRoute({ header, attributes }: MessageOf<typeof ROUTE>): Route {
  const family = header.family === AF_INET ? "ipv4" : "ipv6";
  const zero = family === "ipv4" ? ipv4FromNumber(0) : parseIpv6("::");
  return {
    family,
    destination: { address: attributes.RTA_DST ?? zero, prefix: header.prefix },
    table: attributes.RTA_TABLE ?? header.table,
    type: TYPES[header.type] ?? "unspec",
    scope: scopeName(header.scope),
    protocol: header.protocol,
    priority: attributes.RTA_PRIORITY ?? 0,
    source: attributes.RTA_PREFSRC,
    link: attributes.RTA_OIF,
    gateway: attributes.RTA_GATEWAY,
    onlink: (header.flags & RTNH_F_ONLINK) !== 0,
    mtu: attributes.RTA_METRICS?.RTAX_MTU,
    hops: attributes.RTA_MULTIPATH === undefined ? [] : decodeHops(attributes.RTA_MULTIPATH),
  };
}

const RTNEXTHOP = struct("rtnexthop", { length: "u16", flags: "u8", hops: "u8", index: "s32" });

/** RTA_MULTIPATH: structures with attributes behind each, one after another. */
function decodeHops(bytes: Uint8Array): NextHop[] {
  const hops: NextHop[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const { length, index } = RTNEXTHOP.decode(bytes.subarray(offset));
    if (length < RTNEXTHOP.size || offset + length > bytes.length) {
      throw new RangeError(`attribute 9 (RTA_MULTIPATH) is truncated: a hop of ${length} bytes at ${offset}`);
    }
    const reader = new AttributeReader(bytes, { offset: offset + RTNEXTHOP.size, end: offset + length });
    hops.push({ link: index, gateway: readAttributes(reader, RTA).RTA_GATEWAY });
    offset += align(length);
  }
  return hops;
}
