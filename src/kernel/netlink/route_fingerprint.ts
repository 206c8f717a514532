/**
 * A number that stays while the IPv4 routes of the host's main table stay: a start asks whether there is a new way out (a VPN's link,
 * say) without making objects of all routes. Source: include/uapi/linux/rtnetlink.h (struct rtmsg, RTA_*).
 */
import { contains, ipv4FromNumber, type Ipv4Network } from "../ipv4.ts";
import type { RawMessage } from "./message.ts";
import { mainRoutesQuery } from "./route.ts";
import type { NetlinkSocket } from "./socket.ts";

/** Beyond so many routes (a router of the internet's) it would take a start longer than all else that it does. */
const MOST_ROUTES = 512;

const RTN_UNICAST = 1;
const RTA_DST = 1;
const RTA_OIF = 4;
/** Of struct rtmsg: where the prefix length, the type and the attributes are; its flags follow the carrier. */
const PREFIX = 1;
const TYPE = 7;
const FLAGS = 8;
const ATTRIBUTES = 12;

/** Routes that come and go with skdocker's own links. */
export interface OwnRoutes {
  /** Index of the bridge. */
  readonly link: number;
  /** Where single addresses are containers'; null where there are none. */
  readonly pairs: Ipv4Network | null;
}

/** The number (32 bits); null where there are too many routes. The order in which the kernel tells them is its own. */
export function routeFingerprint(socket: NetlinkSocket, own: OwnRoutes): number | null {
  const messages = socket.dumpRaw(mainRoutesQuery());
  if (messages.length > MOST_ROUTES) return null;
  let sum = 0;
  for (const message of messages) sum = (sum + routeHash(message, own)) | 0;
  return sum;
}

/** FNV-1a over the words of a route; 0 for one that does not count. */
function routeHash({ body }: RawMessage, { link, pairs }: OwnRoutes): number {
  if (body[TYPE] !== RTN_UNICAST) return 0;
  const words = new Uint32Array(body.buffer, body.byteOffset, body.length >> 2);
  let destination = 0;
  let hash = 0x811c9dc5;
  for (let at = 0; at < words.length; at++) {
    if (at << 2 !== FLAGS) hash = Math.imul(hash ^ (words[at] as number), 0x01000193);
  }
  for (let at = ATTRIBUTES; at + 4 < body.length;) {
    const length = (body[at] as number) | (body[at + 1] as number) << 8;
    if (length < 4) break;
    const type = body[at + 2];
    if (type === RTA_OIF && (words[(at >> 2) + 1] as number) === link) return 0;
    if (type === RTA_DST) destination = bigEndian(body, at + 4);
    at += (length + 3) & ~3;
  }
  if (pairs && body[PREFIX] === 32 && contains(pairs, ipv4FromNumber(destination))) return 0;
  return hash;
}

function bigEndian(bytes: Uint8Array, at: number): number {
  let number = 0;
  for (let i = 0; i < 4; i++) number = number * 256 + (bytes[at + i] as number);
  return number;
}
