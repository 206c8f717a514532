/**
 * The types of values that sets hold and rules compare: how a value is written, and its bytes.
 *
 * The kernel knows only lengths; the type numbers are nft's own, stored in NFTA_SET_KEY_TYPE so that nft(8)
 * can list the set. Source: nftables' include/datatype.h (enum datatypes); a concatenation's number is those
 * of its fields, six bits each, and every field is padded to four bytes.
 */
import { parseIpv4 } from "../ipv4.ts";

/** How the bytes of a type lie: nft stores this in a set's user data (enum byteorder). */
export const BYTEORDER = { invalid: 0, host: 1, network: 2 } as const;

interface Declaration {
  /** nft's type number. */
  readonly id: number;
  /** Bytes of a value; 0 for a type of varying length. */
  readonly length: number;
  readonly byteorder: number;
  readonly parse: (text: string) => Uint8Array;
  readonly text: (bytes: Uint8Array) => string;
}

const IFNAMSIZ = 16;

// Little-endian machines only (x86-64 and arm64), so "host order" is little-endian throughout.
const VALUE_TYPES = {
  verdict: { id: 1, length: 0, byteorder: BYTEORDER.invalid, parse: refuse("a verdict"), text: hexText },
  nf_proto: { id: 2, length: 1, byteorder: BYTEORDER.host, ...names({ ipv4: 2, ipv6: 10 }, 1) },
  ipv4_addr: { id: 7, length: 4, byteorder: BYTEORDER.network, parse: ipv4Bytes, text: ipv4Text },
  ipv6_addr: { id: 8, length: 16, byteorder: BYTEORDER.network, parse: refuse("an IPv6 address"), text: ipv6Text },
  inet_proto: {
    id: 12,
    length: 1,
    byteorder: BYTEORDER.network,
    ...names({ icmp: 1, tcp: 6, udp: 17, "ipv6-icmp": 58, sctp: 132 }, 1),
  },
  inet_service: { id: 13, length: 2, byteorder: BYTEORDER.network, parse: parsePort, text: bigEndianText },
  tcp_flag: {
    id: 15,
    length: 1,
    byteorder: BYTEORDER.host,
    ...flags({ fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ecn: 64, cwr: 128 }, { bytes: 1, separator: " | " }),
  },
  mark: { id: 19, length: 4, byteorder: BYTEORDER.host, parse: parseMark, text: markText },
  // enum ip_conntrack_info, as NF_CT_STATE_BIT makes bits of it (nf_conntrack_common.h)
  ct_state: {
    id: 26,
    length: 4,
    byteorder: BYTEORDER.host,
    ...flags({ invalid: 1, established: 2, related: 4, new: 8, untracked: 64 }, { bytes: 4, separator: "," }),
  },
  // enum ip_conntrack_status
  ct_status: {
    id: 28,
    length: 4,
    byteorder: BYTEORDER.host,
    ...flags({ "expected": 1, "seen-reply": 2, assured: 4, confirmed: 8, snat: 16, dnat: 32, dying: 512 }, {
      bytes: 4,
      separator: ",",
    }),
  },
  ifname: { id: 41, length: IFNAMSIZ, byteorder: BYTEORDER.host, parse: parseName, text: nameText },
  /** Bytes of a foreign rule whose type is not known. */
  bytes: { id: 0, length: 0, byteorder: BYTEORDER.invalid, parse: refuse("raw bytes"), text: hexText },
  /** A yes or no: what `fib … missing` and `fib … exists` compare. */
  boolean: { id: 0, length: 4, byteorder: BYTEORDER.host, ...names({ missing: 0, exists: 1 }, 4) },
} as const satisfies Record<string, Declaration>;

export type ValueType = keyof typeof VALUE_TYPES;

const TYPE_BITS = 6;
/** Fields of a concatenation start at multiples of a 32-bit register. */
const FIELD_ALIGNMENT = 4;

/** Bytes of a value of this type. */
export function valueLength(type: ValueType): number {
  return VALUE_TYPES[type].length;
}

/** The byte order of a key: that of its one field, none for a concatenation. */
export function keyByteorder(fields: readonly ValueType[]): number {
  return fields.length === 1 ? VALUE_TYPES[fields[0] as ValueType].byteorder : BYTEORDER.invalid;
}

/** nft's number for a key of these fields. */
export function keyTypeId(fields: readonly ValueType[]): number {
  let id = 0;
  for (const field of fields) id = (id << TYPE_BITS) | VALUE_TYPES[field].id;
  return id;
}

/** The fields of nft's number, or `undefined` where a type is not known here. */
export function keyFields(id: number): ValueType[] | undefined {
  const fields: ValueType[] = [];
  for (let rest = id; rest !== 0; rest >>>= TYPE_BITS) {
    const type = typeOf(rest & ((1 << TYPE_BITS) - 1));
    if (type === undefined) return undefined;
    fields.unshift(type);
  }
  return fields.length === 0 ? undefined : fields;
}

function typeOf(id: number): ValueType | undefined {
  for (const name in VALUE_TYPES) {
    if (id !== 0 && VALUE_TYPES[name as ValueType].id === id) return name as ValueType;
  }
  return undefined;
}

/** Bytes of a key of these fields, each padded to a register; a key of one field is not padded. */
export function keyLength(fields: readonly ValueType[]): number {
  if (fields.length === 1) return valueLength(fields[0] as ValueType);
  let length = 0;
  for (const field of fields) length += padded(valueLength(field));
  return length;
}

function padded(length: number): number {
  return (length + FIELD_ALIGNMENT - 1) & -FIELD_ALIGNMENT;
}

/** The bytes of a value as nft(8) reads it. Throws a RangeError for text that is no such value. */
export function parseValue(type: ValueType, text: string): Uint8Array {
  return VALUE_TYPES[type].parse(text);
}

/** A value as nft(8) writes it; interface names are quoted. */
export function valueText(type: ValueType, bytes: Uint8Array): string {
  return VALUE_TYPES[type].text(bytes);
}

/** The bytes of a key, field by field. Throws a RangeError for a wrong number of fields or a wrong value. */
export function encodeKey(fields: readonly ValueType[], values: readonly string[]): Uint8Array {
  if (fields.length !== values.length) throw new RangeError(`a key of ${fields.length} fields got ${values.length}`);
  if (fields.length === 1) return parseValue(fields[0] as ValueType, values[0] as string);
  const key = new Uint8Array(keyLength(fields));
  let offset = 0;
  for (let i = 0; i < fields.length; i++) {
    key.set(parseValue(fields[i] as ValueType, values[i] as string), offset);
    offset += padded(valueLength(fields[i] as ValueType));
  }
  return key;
}

/** The fields of a key's bytes as plain text (interface names unquoted). */
export function decodeKey(fields: readonly ValueType[], key: Uint8Array): string[] {
  const values: string[] = [];
  let offset = 0;
  for (const field of fields) {
    const length = valueLength(field) === 0 ? key.length : valueLength(field);
    const text = valueText(field, key.subarray(offset, offset + length));
    values.push(field === "ifname" ? text.slice(1, -1) : text);
    offset += padded(length);
  }
  return values;
}

function refuse(what: string): (text: string) => Uint8Array {
  return (text) => {
    throw new RangeError(`cannot read ${what} from ${JSON.stringify(text)}`);
  };
}

function hexText(bytes: Uint8Array): string {
  return "0x" + bytes.toHex();
}

function little(value: number, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) out[i] = value >>> (8 * i);
  return out;
}

function littleValue(bytes: Uint8Array): number {
  let value = 0;
  for (let i = bytes.length - 1; i >= 0; i--) value = value * 256 + (bytes[i] as number);
  return value;
}

type Codec = Pick<Declaration, "parse" | "text">;

function names(values: Readonly<Record<string, number>>, bytes: number): Codec {
  return {
    parse: (text) => {
      const value = values[text] ?? (text === "" ? Number.NaN : Number(text));
      if (!(value >= 0 && value < 2 ** (8 * bytes)) || !Number.isInteger(value)) {
        throw new RangeError(`${JSON.stringify(text)} is not a known name`);
      }
      return little(value, bytes);
    },
    text: (raw) => {
      const value = littleValue(raw);
      for (const name in values) if (values[name] === value) return name;
      return String(value);
    },
  };
}

function flags(bits: Readonly<Record<string, number>>, form: { bytes: number; separator: string }): Codec {
  return {
    parse: (text) => {
      let value = 0;
      for (const part of text.split(/[|,]/)) {
        const bit = bits[part.trim()];
        if (bit === undefined) throw new RangeError(`${JSON.stringify(part)} is not a known flag`);
        value |= bit;
      }
      return little(value, form.bytes);
    },
    text: (raw) => {
      const value = littleValue(raw);
      const found: string[] = [];
      let rest = value;
      for (const name in bits) {
        const bit = bits[name] as number;
        if ((value & bit) === 0) continue;
        found.push(name);
        rest &= ~bit;
      }
      return found.length === 0 || rest !== 0 ? `0x${value.toString(16)}` : found.join(form.separator);
    },
  };
}

function parseName(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  // What the kernel refuses (white space, "/"), and what nft(8) could not quote.
  const wrong = bytes.some((byte) => byte <= 0x20 || byte === 0x22 || byte === 0x2f);
  if (bytes.length === 0 || bytes.length >= IFNAMSIZ || wrong) {
    throw new RangeError(`${JSON.stringify(text)} is not an interface name`);
  }
  const name = new Uint8Array(IFNAMSIZ);
  name.set(bytes);
  return name;
}

/** A name compared over less than its whole length, without its NUL, is a prefix: `"veth*"`. */
function nameText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const name = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  return end < 0 && bytes.length < IFNAMSIZ ? `"${name}*"` : `"${name}"`;
}

function ipv4Bytes(text: string): Uint8Array {
  const address = parseIpv4(text);
  return Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address);
}

/** Shorter values are prefixes that end at a byte: `172.16.0.0/16`. */
function ipv4Text(bytes: Uint8Array): string {
  if (bytes.length > 4) return hexText(bytes);
  const parts = [0, 1, 2, 3].map((index) => bytes[index] ?? 0);
  return parts.join(".") + (bytes.length < 4 ? `/${bytes.length * 8}` : "");
}

function ipv6Text(bytes: Uint8Array): string {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16));
  return groups.join(":") + (bytes.length < 16 ? `/${bytes.length * 8}` : "");
}

function parsePort(text: string): Uint8Array {
  const port = Number(text);
  if (String(port) !== text || !(port >= 0 && port <= 65535) || !Number.isInteger(port)) {
    throw new RangeError(`${JSON.stringify(text)} is not a port`);
  }
  return Uint8Array.of(port >> 8, port);
}

function bigEndianText(bytes: Uint8Array): string {
  return String(littleValue(bytes.slice().reverse()));
}

function parseMark(text: string): Uint8Array {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) throw new RangeError(`${text} is not a mark`);
  return little(value, 4);
}

function markText(bytes: Uint8Array): string {
  return `0x${littleValue(bytes).toString(16).padStart(8, "0")}`;
}
