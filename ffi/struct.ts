/**
 * C structures as field tables: from names and types in the header's order come size, offsets, encode and decode.
 *
 * Natural alignment, little end first, as both machines have it. A structure that the kernel declares packed
 * (struct epoll_event on x86-64) is marked so. Nothing is computed until a structure is first used.
 */

/** A field: an integer; an address, size or offset of 64 bits that must fit a number; or `n` raw bytes. */
export type FieldType = "u8" | "u16" | "u32" | "i32" | "u64" | "word" | { readonly bytes: number };

type FieldValue<T> = T extends { readonly bytes: number } ? Uint8Array : T extends "u64" ? bigint : number;

type Values<F> = { -readonly [K in keyof F]: FieldValue<F[K]> };

const WIDTH = { u8: 1, u16: 2, u32: 4, i32: 4, u64: 8, word: 8 } as const;

interface Placed {
  readonly name: string;
  readonly type: FieldType;
  readonly offset: number;
}

/** One structure's layout. `F` maps field names, in the header's order, to their types. */
export class Struct<const F extends Readonly<Record<string, FieldType>>> {
  readonly #fields: F;
  readonly #packed: boolean;
  #placed: readonly Placed[] | undefined;
  #size = 0;

  constructor(fields: F, { packed = false }: { packed?: boolean } = {}) {
    this.#fields = fields;
    this.#packed = packed;
  }

  /** The size in bytes, padding at the end included. */
  get size(): number {
    this.#place();
    return this.#size;
  }

  /** Where a field begins, in bytes. */
  offsetOf(name: keyof F & string): number {
    return (this.#place().find((field) => field.name === name) as Placed).offset; // every field is placed
  }

  /** The structure as bytes; fields that are not given are zero. Throws a RangeError where a value does not fit. */
  encode(values: Partial<Values<F>>): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.size);
    const view = new DataView(bytes.buffer);
    for (const { name, type, offset } of this.#place()) {
      const value = values[name];
      if (value !== undefined) put(view, { name, type, offset }, value);
    }
    return bytes;
  }

  /** The fields of a structure at `offset` of `bytes`. Throws a RangeError where it is truncated. */
  decode(bytes: Uint8Array, offset = 0): Values<F> {
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, Math.max(0, bytes.byteLength - offset));
    const values: Record<string, number | bigint | Uint8Array> = {};
    for (const field of this.#place()) values[field.name] = get(view, field);
    return values as Values<F>;
  }

  #place(): readonly Placed[] {
    if (this.#placed) return this.#placed;
    const placed: Placed[] = [];
    let offset = 0;
    let widest = 1;
    for (const name in this.#fields) {
      const type = this.#fields[name] as FieldType;
      const alignment = this.#packed || typeof type === "object" ? 1 : WIDTH[type];
      offset = align(offset, alignment);
      placed.push({ name, type, offset });
      offset += typeof type === "object" ? type.bytes : WIDTH[type];
      widest = Math.max(widest, alignment);
    }
    this.#size = align(offset, widest);
    return this.#placed = placed;
  }
}

function align(offset: number, to: number): number {
  return Math.ceil(offset / to) * to;
}

function put(view: DataView, { name, type, offset }: Placed, value: number | bigint | Uint8Array): void {
  if (value instanceof Uint8Array) {
    if (typeof type !== "object" || value.length > type.bytes) throw new RangeError(`${name} is too long`);
    return new Uint8Array(view.buffer, view.byteOffset + offset, type.bytes).set(value);
  }
  if (type === "u64" || type === "word") {
    // -1 is how C writes "all ones"; anything from there to 2^64 is a word.
    const word = BigInt(value);
    if (word < -(2n ** 63n) || word >= 2n ** 64n) throw new RangeError(`${name} does not fit 64 bits: ${word}`);
    return view.setBigUint64(offset, BigInt.asUintN(64, word), true);
  }
  const number = Number(value);
  const bits = typeof type === "object" ? 0 : WIDTH[type] * 8;
  const [low, high] = type === "i32" ? [-(2 ** 31), 2 ** 31] : [0, 2 ** bits];
  if (!Number.isInteger(number) || number < low || number >= high) {
    throw new RangeError(`${name} does not fit ${bits} bits: ${number}`);
  }
  if (bits === 8) view.setUint8(offset, number);
  else if (bits === 16) view.setUint16(offset, number, true);
  else view.setUint32(offset, number, true); // a negative i32 has the same bits
}

function get(view: DataView, { type, offset }: Placed): number | bigint | Uint8Array {
  if (typeof type === "object") {
    if (offset + type.bytes > view.byteLength) throw new RangeError("the structure is truncated");
    return new Uint8Array(view.buffer, view.byteOffset + offset, type.bytes).slice();
  }
  switch (type) {
    case "u8":
      return view.getUint8(offset);
    case "u16":
      return view.getUint16(offset, true);
    case "u32":
      return view.getUint32(offset, true);
    case "i32":
      return view.getInt32(offset, true);
    case "u64":
      return view.getBigUint64(offset, true);
    case "word":
      return Number(view.getBigUint64(offset, true));
  }
}
