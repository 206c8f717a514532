/**
 * Netlink attributes as bytes: one writer, one reader, each over one buffer.
 *
 * An attribute is a header (u16 length including the header, u16 type) and its payload; the next one starts
 * at a multiple of four (include/uapi/linux/netlink.h: struct nlattr,
 * `#define NLA_ALIGN(len) (((len) + NLA_ALIGNTO - 1) & ~(NLA_ALIGNTO - 1))`). Host order is little-endian on
 * both machines we run on.
 */

import type { Location } from "../../../ffi/struct.ts";

// include/uapi/linux/netlink.h
const NLA_F_NESTED = 1 << 15;
const NLA_TYPE_MASK = 0x3fff;
const NLA_HDRLEN = 4;
const NLA_MAX_PAYLOAD = 0xffff - NLA_HDRLEN;

/** `NLA_ALIGN(length)`, which is `NLMSG_ALIGN(length)` as well. */
export function align(length: number): number {
  return (length + 3) & ~3;
}

const INITIAL_SIZE = 4096;

/** Writes attributes (and what lies between them) one after another into a buffer that grows. */
export class AttributeWriter {
  #bytes = new Uint8Array(INITIAL_SIZE);
  #end = 0;
  readonly #nestedFlag: number;

  /** rtnetlink's families predate NLA_F_NESTED, and `ip` does not set it; newer ones want it. */
  constructor({ flagNested = true }: { flagNested?: boolean } = {}) {
    this.#nestedFlag = flagNested ? NLA_F_NESTED : 0;
  }

  /** Bytes written so far; always a multiple of four. */
  get length(): number {
    return this.#end;
  }

  /** All bytes written so far: a window on the buffer, valid until the next write. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#end);
  }

  /** Forgets what was written. */
  reset(): void {
    this.#end = 0;
  }

  /** Makes room for `size` bytes, zeroed, padded to four, and says where they are; for headers. */
  reserve(size: number): Location {
    const offset = this.#take(align(size));
    return { bytes: this.#bytes, offset };
  }

  /** Overwrites four bytes: a length that is known only at the end. */
  patchU32(offset: number, value: number): void {
    this.#put(offset, value);
  }

  /** An attribute without payload, whose presence says it all. */
  flag(type: number): void {
    this.#header(type, 0);
  }

  u8(type: number, value: number): void {
    this.#number(type, value, 1);
  }

  u16(type: number, value: number): void {
    this.#number(type, value, 2);
  }

  u32(type: number, value: number): void {
    this.#number(type, value, 4);
  }

  s32(type: number, value: number): void {
    if (value !== (value | 0)) throw new RangeError(`attribute ${type} cannot be ${value}: it is an s32`);
    this.#number(type, value >>> 0, 4);
  }

  u64(type: number, value: bigint): void {
    this.#long(type, value, true);
  }

  be16(type: number, value: number): void {
    this.#number(type, value, 2);
    this.#put(this.#end - 4, (value >>> 8) | ((value & 0xff) << 8));
  }

  be32(type: number, value: number): void {
    this.#number(type, value, 4);
    this.#put(this.#end - 4, (value >>> 24) | ((value >>> 8) & 0xff00) | ((value & 0xff00) << 8) | (value << 24));
  }

  be64(type: number, value: bigint): void {
    this.#long(type, value, false);
  }

  /** Text with the NUL that the kernel's NLA_NUL_STRING wants at its end. */
  string(type: number, text: string): void {
    this.#text(type, text, 1);
  }

  /** Text without a NUL, so that none at all can be told from an empty one: NLA_STRING. */
  text(type: number, text: string): void {
    this.#text(type, text, 0);
  }

  #text(type: number, text: string, nul: number): void {
    const start = this.#end;
    const at = this.#header(type, text.length + nul);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === 0) throw new RangeError(`attribute ${type}: ${JSON.stringify(text)} contains a NUL character`);
      if (code > 127) {
        this.#end = start;
        this.bytesOf(type, new TextEncoder().encode(nul === 0 ? text : text + "\0"));
        return;
      }
      this.#bytes[at + i] = code;
    }
  }

  /** Raw bytes, as they are. */
  bytesOf(type: number, value: Uint8Array): void {
    const at = this.#header(type, value.length);
    this.#bytes.set(value, at);
  }

  /** An attribute whose payload is what `write` writes: attributes, or a header and attributes. */
  nested(type: number, write: (writer: this) => void): void {
    const start = this.openNested(type);
    write(this);
    this.closeNested(start);
  }

  /** The two halves of {@link nested}, for loops that would need a closure otherwise. */
  openNested(type: number): number {
    const start = this.#end;
    this.#header(type | this.#nestedFlag, 0);
    return start;
  }

  closeNested(start: number): void {
    const length = this.#end - start;
    if (length > 0xffff) throw new RangeError(`a nested attribute is too long: ${length} bytes`);
    this.#bytes[start] = length;
    this.#bytes[start + 1] = length >>> 8;
  }

  #number(type: number, value: number, size: number): void {
    if (value !== value >>> 0 || value >= 2 ** (8 * size)) {
      throw new RangeError(`attribute ${type} cannot be ${value}: it is a u${8 * size}`);
    }
    this.#put(this.#header(type, size), value);
  }

  /** Four bytes, the padding of a shorter number among them, in host order. */
  #put(at: number, value: number): void {
    const bytes = this.#bytes;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
  }

  #long(type: number, value: bigint, little: boolean): void {
    if (BigInt.asUintN(64, value) !== value) throw new RangeError(`attribute ${type} cannot be ${value}: it is a u64`);
    const at = this.#header(type, 8);
    new DataView(this.#bytes.buffer).setBigUint64(at, value, little);
  }

  /** An attribute's header, with room behind it, zeroed; says where the payload goes. */
  #header(type: number, length: number): number {
    if (length > NLA_MAX_PAYLOAD) throw new RangeError(`attribute ${type} is too long: ${length} bytes`);
    const offset = this.#take(NLA_HDRLEN + align(length));
    const bytes = this.#bytes;
    bytes[offset] = NLA_HDRLEN + length;
    bytes[offset + 1] = (NLA_HDRLEN + length) >>> 8;
    bytes[offset + 2] = type;
    bytes[offset + 3] = type >>> 8;
    return offset + NLA_HDRLEN;
  }

  #take(size: number): number {
    const offset = this.#end;
    this.#end += size;
    if (this.#end > this.#bytes.length) this.#grow();
    this.#bytes.fill(0, offset, this.#end);
    return offset;
  }

  #grow(): void {
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#end));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/**
 * Reads attributes one after another. After {@link next} has said `true`, `type` and the typed methods speak
 * of the current one; `name` is its kernel name, for errors. All of them throw a RangeError where the bytes
 * are not what they should be.
 */
export class AttributeReader {
  readonly #bytes: Uint8Array;
  #end: number;
  #next: number;
  #at = 0;
  /** The current attribute's type, without the nested and byte order flags. */
  type = 0;
  /** The current attribute's payload, in bytes. */
  length = 0;

  constructor(bytes: Uint8Array, { offset = 0, end = bytes.length }: { offset?: number; end?: number } = {}) {
    this.#bytes = bytes;
    this.#next = offset;
    this.#end = end;
  }

  /** Goes to the next attribute; `false` at the end. */
  next(): boolean {
    const left = this.#end - this.#next;
    if (left <= 0) return false;
    if (left < NLA_HDRLEN) throw new RangeError(`truncated: ${left} bytes are left, too few for an attribute`);
    const bytes = this.#bytes;
    const at = this.#next;
    // There are at least four bytes. An answer about a link has some sixty attributes, so this loops over nothing.
    const length = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
    this.type = ((bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8)) & NLA_TYPE_MASK;
    if (length < NLA_HDRLEN || length > left) {
      throw new RangeError(`attribute ${this.type} is truncated: it says ${length} bytes, ${left} are left`);
    }
    this.#at = at + NLA_HDRLEN;
    this.length = length - NLA_HDRLEN;
    this.#next += align(length);
    return true;
  }

  u8(name: string): number {
    this.#expect(1, { name, type: "u8" });
    return this.#little(1);
  }

  u16(name: string): number {
    this.#expect(2, { name, type: "u16" });
    return this.#little(2);
  }

  u32(name: string): number {
    this.#expect(4, { name, type: "u32" });
    return this.#little(4);
  }

  s32(name: string): number {
    this.#expect(4, { name, type: "s32" });
    return this.#little(4) | 0;
  }

  u64(name: string): bigint {
    this.#expect(8, { name, type: "u64" });
    return this.#long(true);
  }

  be16(name: string): number {
    this.#expect(2, { name, type: "be16" });
    return this.#big(2);
  }

  be32(name: string): number {
    this.#expect(4, { name, type: "be32" });
    return this.#big(4);
  }

  be64(name: string): bigint {
    this.#expect(8, { name, type: "be64" });
    return this.#long(false);
  }

  /** Text up to its NUL; some attributes come without one. Bytes that are no UTF-8 become U+FFFD. */
  string(_name: string): string {
    let text = "";
    for (let i = 0; i < this.length; i++) {
      const code = this.#bytes[this.#at + i] as number; // next() has checked that the payload lies in the buffer
      if (code === 0) break;
      if (code > 127) {
        const raw = this.bytes();
        const end = raw.indexOf(0);
        return new TextDecoder().decode(end < 0 ? raw : raw.subarray(0, end));
      }
      text += String.fromCharCode(code);
    }
    return text;
  }

  /** The payload: a window on the buffer, so copy it where the buffer is used again. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#at + this.length);
  }

  /**
   * Reads the payload's own attributes with this same reader, from `skip` bytes on; afterwards the reader is
   * back at the attribute after this one.
   */
  nested<Result>(read: (reader: this) => Result, { skip = 0 }: { skip?: number } = {}): Result {
    const outer = { end: this.#end, next: this.#next };
    const end = this.#at + this.length;
    this.#next = this.#at + skip;
    this.#end = end;
    try {
      return read(this);
    } finally {
      this.#end = outer.end;
      this.#next = outer.next;
    }
  }

  /** Where the payload starts, for a structure in front of nested attributes. */
  get location(): Location {
    return { bytes: this.#bytes, offset: this.#at };
  }

  /** Throws the error of an attribute whose length is wrong for its type. */
  mismatch(name: string, what: string): never {
    const article = /^[sI]/.test(what) ? "an" : "a"; // an s32, an IP address
    throw new RangeError(`attribute ${this.type} (${name}) is not ${article} ${what}: length ${this.length}`);
  }

  // next() and #expect() have made sure that the bytes these three read are there.

  #little(size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.#bytes[this.#at + i] as number);
    return value;
  }

  #big(size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (this.#bytes[this.#at + i] as number);
    return value;
  }

  #long(little: boolean): bigint {
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getBigUint64(this.#at, little);
  }

  #expect(length: number, { name, type }: { name: string; type: string }): void {
    if (this.length !== length) this.mismatch(name, type);
  }
}
