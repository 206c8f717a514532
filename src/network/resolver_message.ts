/**
 * The little a forwarder must know of a DNS message: its header, its one question, the client's buffer size. Pure.
 *
 * Source: RFC 1035 section 4 (format), RFC 6891 section 6.1 (EDNS), RFC 2308. Everything behind the question is
 * passed on as it came: what is not parsed cannot be parsed wrongly. Messages come from a hostile container and
 * from the network, so every length is checked against the bytes there are.
 */

/** Bytes 0-1 id, 2-3 flags, 4-11 how many questions, answers, authorities and additionals there are. */
const HEADER_SIZE = 12;
/** What a client without EDNS takes by UDP (RFC 1035, 4.2.1), and the least that EDNS may say. */
const PLAIN_UDP_SIZE = 512;

const FLAG_RESPONSE = 0x80; // QR, in byte 2
const FLAG_TRUNCATED = 0x02; // TC, in byte 2
const FLAG_RECURSION_DESIRED = 0x01; // RD, in byte 2
const FLAG_RECURSION_AVAILABLE = 0x80; // RA, in byte 3
const OPCODE_MASK = 0x78; // in byte 2; QUERY is 0
const RCODE_MASK = 0x0f; // in byte 3

const TYPE_OPT = 41;
const TYPE_IXFR = 251;
const TYPE_AXFR = 252;

/** Response codes (RFC 1035, 4.1.1). */
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NOTIMP: 4, REFUSED: 5 } as const;

/** What to do with a message from a client. */
export type QueryVerdict =
  /** Its question ends before `end`. */
  | { readonly kind: "forward"; readonly end: number }
  /** Answer it with this code. */
  | { readonly kind: "refuse"; readonly rcode: number }
  /** Say nothing: an answer to it could begin a loop, or it has no id. */
  | { readonly kind: "drop" };

/** Looks at a message from a client; never throws. */
export function judgeQuery(message: Uint8Array): QueryVerdict {
  if (message.length < HEADER_SIZE || (byte(message, 2) & FLAG_RESPONSE) !== 0) return { kind: "drop" };
  if ((byte(message, 2) & OPCODE_MASK) !== 0) return { kind: "refuse", rcode: RCODE.NOTIMP };
  const end = word(message, 4) === 1 ? questionEnd(message) : null;
  if (end === null) return { kind: "refuse", rcode: RCODE.FORMERR };
  // A zone comes in many messages; one answer a query is all that is forwarded.
  const type = word(message, end - 4);
  return type === TYPE_AXFR || type === TYPE_IXFR ? { kind: "refuse", rcode: RCODE.NOTIMP } : { kind: "forward", end };
}

/** Where the question ends; null where it is cut short or its name is none (RFC 1035, 4.1.2). */
export function questionEnd(message: Uint8Array): number | null {
  let at = HEADER_SIZE;
  for (;;) {
    const length = message[at];
    // 64 and more are compression pointers, which have nothing to point back to in the first name.
    if (length === undefined || length > 63 || at - HEADER_SIZE + length > 254) return null;
    at += 1 + length;
    if (length === 0) break;
  }
  return at + 4 <= message.length ? at + 4 : null;
}

/** Whether `answer` is a response to `query`, whose question ends at `end`: same id, same question. */
export function isAnswerTo(answer: Uint8Array, query: Uint8Array, end: number): boolean {
  if (answer.length < HEADER_SIZE || word(answer, 0) !== word(query, 0)) return false;
  if ((byte(answer, 2) & FLAG_RESPONSE) === 0) return false;
  // A server that could not read the question may leave it out.
  if (word(answer, 4) === 0) return rcodeOf(answer) !== RCODE.NOERROR;
  if (word(answer, 4) !== 1 || answer.length < end) return false;
  for (let at = HEADER_SIZE; at < end; at++) {
    const same = at < end - 4 ? lower(byte(answer, at)) === lower(byte(query, at)) : answer[at] === query[at];
    if (!same) return false;
  }
  return true;
}

/** A server's response code. */
export function rcodeOf(message: Uint8Array): number {
  return byte(message, 3) & RCODE_MASK;
}

/** Puts an id, 0 to 65535, into a message. */
export function setId(message: Uint8Array, id: number): void {
  message[0] = id >> 8;
  message[1] = id & 255;
}

/** The id of a message that has a header. */
export function idOf(message: Uint8Array): number {
  return word(message, 0);
}

/** An answer of our own to a query: its id, its question if there is one, no records. */
export function errorAnswer(query: Uint8Array, rcode: number): Uint8Array {
  const end = word(query, 4) === 1 ? questionEnd(query) : null;
  const answer = query.slice(0, end ?? HEADER_SIZE);
  answer[2] = FLAG_RESPONSE | byte(query, 2) & (OPCODE_MASK | FLAG_RECURSION_DESIRED);
  answer[3] = FLAG_RECURSION_AVAILABLE | rcode;
  answer.fill(0, 4, HEADER_SIZE);
  if (end !== null) answer[5] = 1;
  return answer;
}

/** The same answer for a client that takes only `limit` bytes: cut to its question, with TC, where it is longer. */
export function fitAnswer(answer: Uint8Array, limit: number): Uint8Array {
  if (answer.length <= limit) return answer;
  const end = word(answer, 4) === 1 ? questionEnd(answer) : null;
  const cut = answer.slice(0, end ?? HEADER_SIZE);
  cut[2] = byte(cut, 2) | FLAG_TRUNCATED;
  cut.fill(0, 6, HEADER_SIZE);
  if (end === null) cut.fill(0, 4, 6);
  return cut;
}

/** How large an answer the client takes by UDP: what its EDNS record says, or 512. */
export function udpSizeOf(query: Uint8Array, end: number): number {
  // In a query nothing stands before the additional records, and OPT, whose name is the root, is the first of them.
  const plain = word(query, 6) + word(query, 8) > 0 || word(query, 10) === 0 || query.length < end + 11;
  if (plain || byte(query, end) !== 0 || word(query, end + 1) !== TYPE_OPT) return PLAIN_UDP_SIZE;
  return Math.max(PLAIN_UDP_SIZE, word(query, end + 3));
}

/** 0 beyond the end: callers have checked the length of what they rely on. */
function byte(message: Uint8Array, at: number): number {
  return message[at] ?? 0;
}

function word(message: Uint8Array, at: number): number {
  return byte(message, at) << 8 | byte(message, at + 1);
}

/** Names are compared without regard to case (RFC 4343); a label's length, below 64, is no letter. */
function lower(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
}
