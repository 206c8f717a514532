/**
 * C structures as field tables: size, encode and decode follow from the declaration.
 *
 * Fields lie as the C compiler of x86-64 and arm64 lays them: each at a multiple of its own size, the whole
 * padded to the largest. Numbers are in host order, which is little-endian on both; `be16` and `be32` are in
 * network order.
 */

/** A field's type: an integer, or so many raw bytes. */
export type FieldType = "u8" | "u16" | "u32" | "u64" | "s32" | "s64" | "be16" | "be32" | { readonly bytes: number };

/** A structure's fields in their order in memory. */
export type FieldTable = Readonly<Record<string, FieldType>>;

type FieldValue<Type extends FieldType> = Type extends "u64" | "s64" ? bigint
  : Type extends { readonly bytes: number } ? Uint8Array
  : number;

/** The values of all fields. */
export type StructValues<Fields extends FieldTable> = { [Name in keyof Fields]: FieldValue<Fields[Name]> };

const SIZES = { u8: 1, u16: 2, u32: 4, u64: 8, s32: 4, s64: 8, be16: 2, be32: 4 } as const;

interface Place {
  readonly name: string;
  readonly type: FieldType;
  readonly offset: number;
  readonly size: number;
}

/** Where encoded bytes go to or come from. */
export interface Location {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** A C structure. Made once per module by {@link struct}. */
export class Struct<Fields extends FieldTable> {
  /** The C name, for messages. */
  readonly name: string;
  /** Bytes, trailing padding included: what C's `sizeof` says. */
  readonly size: number;
  readonly #places: readonly Place[];

  constructor(name: string, fields: Fields) {
    const places: Place[] = [];
    let offset = 0;
    let largest = 1;
    for (const field in fields) {
      const type = fields[field] as FieldType;
      const size = typeof type === "string" ? SIZES[type] : type.bytes;
      const alignment = typeof type === "string" ? size : 1;
      offset = (offset + alignment - 1) & -alignment;
      places.push({ name: field, type, offset, size });
      offset += size;
      if (alignment > largest) largest = alignment;
    }
    this.name = name;
    this.size = (offset + largest - 1) & -largest;
    this.#places = places;
  }

  /**
   * Writes all fields at a place; those without a value, and the padding, become zero.
   * Throws a RangeError for a number that does not fit its field.
   */
  write(values: Partial<StructValues<Fields>>, { bytes, offset }: Location): void {
    bytes.fill(0, offset, offset + this.size);
    for (const place of this.#places) {
      const value = values[place.name];
      if (value === undefined || value === 0) continue;
      if (!put(place, value, { bytes, offset: offset + place.offset })) {
        throw new RangeError(`${this.name}.${place.name} cannot be ${value}`);
      }
    }
  }

  /** The fields at a place. Throws a RangeError where the bytes end before the structure does. */
  read({ bytes, offset }: Location): StructValues<Fields> {
    if (offset + this.size > bytes.length) {
      throw new RangeError(`${this.name} needs ${this.size} bytes: there are ${bytes.length - offset}`);
    }
    const values: Record<string, number | bigint | Uint8Array> = {};
    for (const place of this.#places) values[place.name] = take(place, { bytes, offset: offset + place.offset });
    // Every place was made from a field of the table, so all keys are there with their types.
    return values as StructValues<Fields>;
  }

  /** The structure as bytes of its own. */
  encode(values: Partial<StructValues<Fields>>): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.size);
    this.write(values, { bytes, offset: 0 });
    return bytes;
  }

  /** The fields of the structure that `bytes` begin with. */
  decode(bytes: Uint8Array): StructValues<Fields> {
    return this.read({ bytes, offset: 0 });
  }
}

/** Declares a C structure: its C name, and its fields in their order in memory. */
export function struct<const Fields extends FieldTable>(name: string, fields: Fields): Struct<Fields> {
  return new Struct(name, fields);
}

/** Whether `value` fits the field; if so, it has been written. */
function put({ type, size }: Place, value: number | bigint | Uint8Array, { bytes, offset }: Location): boolean {
  if (typeof type !== "string") {
    if (!(value instanceof Uint8Array) || value.length > size) return false;
    bytes.set(value, offset);
    return true;
  }
  if (typeof value === "bigint") return putLong(type, value, { bytes, offset });
  if (typeof value !== "number") return false;
  if (type === "s32" ? value !== (value | 0) : size > 4 || value !== value >>> 0 || value >= 2 ** (8 * size)) {
    return false;
  }
  const swap = type === "be16" || type === "be32" ? size - 1 : 0;
  // Byte by byte: a DataView costs more at a program's start than it saves.
  for (let i = 0; i < size; i++) bytes[offset + (i ^ swap)] = value >>> (8 * i);
  return true;
}

function putLong(type: FieldType, value: bigint, { bytes, offset }: Location): boolean {
  if (type === "u64" ? BigInt.asUintN(64, value) !== value : type !== "s64" || BigInt.asIntN(64, value) !== value) {
    return false;
  }
  new DataView(bytes.buffer, bytes.byteOffset).setBigInt64(offset, value, true);
  return true;
}

function take({ type, size }: Place, { bytes, offset }: Location): number | bigint | Uint8Array {
  if (typeof type !== "string") return bytes.slice(offset, offset + size);
  if (size === 8) {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return type === "u64" ? view.getBigUint64(offset, true) : view.getBigInt64(offset, true);
  }
  const swap = type === "be16" || type === "be32" ? size - 1 : 0;
  let value = 0;
  // A byte that is not there is not read: read() has compared the sizes.
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[offset + (i ^ swap)] as number);
  return type === "s32" ? value | 0 : value;
}
