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
}

/** Where encoded bytes go to or come from. */
export interface Location {
  readonly view: DataView;
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
      places.push({ name: field, type, offset });
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
  write(values: Partial<StructValues<Fields>>, { view, offset }: Location): void {
    for (let i = 0; i < this.size; i++) view.setUint8(offset + i, 0);
    for (const place of this.#places) {
      const value = values[place.name];
      if (value === undefined) continue;
      if (!put(place.type, value, { view, offset: offset + place.offset })) {
        throw new RangeError(`${this.name}.${place.name} cannot be ${value}`);
      }
    }
  }

  /** The fields at a place. Throws a RangeError where the view ends before the structure does. */
  read({ view, offset }: Location): StructValues<Fields> {
    if (offset + this.size > view.byteLength) {
      throw new RangeError(`${this.name} needs ${this.size} bytes: there are ${view.byteLength - offset}`);
    }
    const values: Record<string, number | bigint | Uint8Array> = {};
    for (const place of this.#places) {
      values[place.name] = take(place.type, { view, offset: offset + place.offset });
    }
    // Every place was made from a field of the table, so all keys are there with their types.
    return values as StructValues<Fields>;
  }

  /** The structure as bytes of its own. */
  encode(values: Partial<StructValues<Fields>>): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.size);
    this.write(values, { view: new DataView(bytes.buffer), offset: 0 });
    return bytes;
  }

  /** The fields of the structure that `bytes` begin with. */
  decode(bytes: Uint8Array): StructValues<Fields> {
    return this.read({ view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 });
  }
}

/** Declares a C structure: its C name, and its fields in their order in memory. */
export function struct<const Fields extends FieldTable>(name: string, fields: Fields): Struct<Fields> {
  return new Struct(name, fields);
}

/** Whether `value` fits the type; if so, it has been written. */
function put(type: FieldType, value: number | bigint | Uint8Array, { view, offset }: Location): boolean {
  if (typeof type !== "string") {
    if (!(value instanceof Uint8Array) || value.length > type.bytes) return false;
    for (let i = 0; i < value.length; i++) view.setUint8(offset + i, value[i] as number);
    return true;
  }
  if (typeof value === "bigint") {
    if (type === "u64" && BigInt.asUintN(64, value) === value) view.setBigUint64(offset, value, true);
    else if (type === "s64" && BigInt.asIntN(64, value) === value) view.setBigInt64(offset, value, true);
    else return false;
    return true;
  }
  if (typeof value !== "number" || !Number.isInteger(value)) return false;
  if (type === "s32") {
    if (value !== (value | 0)) return false;
    view.setInt32(offset, value, true);
    return true;
  }
  if (value < 0 || value >= 2 ** (8 * SIZES[type])) return false;
  if (type === "u8") view.setUint8(offset, value);
  else if (type === "u16" || type === "be16") view.setUint16(offset, value, type === "u16");
  else if (type === "u32" || type === "be32") view.setUint32(offset, value, type === "u32");
  else return false;
  return true;
}

function take(type: FieldType, { view, offset }: Location): number | bigint | Uint8Array {
  if (typeof type !== "string") {
    return new Uint8Array(view.buffer, view.byteOffset + offset, type.bytes).slice();
  }
  switch (type) {
    case "u8":
      return view.getUint8(offset);
    case "u16":
      return view.getUint16(offset, true);
    case "be16":
      return view.getUint16(offset);
    case "u32":
      return view.getUint32(offset, true);
    case "be32":
      return view.getUint32(offset);
    case "s32":
      return view.getInt32(offset, true);
    case "u64":
      return view.getBigUint64(offset, true);
    case "s64":
      return view.getBigInt64(offset, true);
  }
}
