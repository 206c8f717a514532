/**
 * Netlink messages as tables: a kernel name, a number, a type. Encoding, decoding and the text of
 * SKDOCKER_TRACE=netlink follow from them, and the kernel's names are the keys of the values:
 * `{ IFLA_IFNAME: "eth0", IFLA_MTU: 1500 }`.
 */
import type { FieldTable, Struct, StructValues } from "../../../ffi/struct.ts";
import type { IpAddress } from "../ip_address.ts";
import { formatIpv4, ipv4FromNumber } from "../ipv4.ts";
import { formatIpv6, ipv6Bytes } from "../ipv6.ts";
import { formatMac, type Mac, macBytes } from "../mac.ts";
import type { AttributeReader, AttributeWriter } from "./attributes.ts";

/** What an attribute without attributes of its own can be. */
interface ScalarValues {
  u8: number;
  u16: number;
  u32: number;
  s32: number;
  u64: bigint;
  be16: number;
  be32: number;
  be64: bigint;
  string: string;
  /** A string that is sent without a NUL at its end: an empty one is then empty. */
  text: string;
  bytes: Uint8Array;
  flag: true;
  /** 4 or 16 bytes in network order. */
  ip: IpAddress;
  mac: Mac;
  /** An array of u32 in host order. */
  u32s: Uint32Array;
}

type Scalar = keyof ScalarValues;

/** Attributes inside an attribute. */
interface Nested<Table extends AttributeTable> {
  readonly form: "nested";
  readonly table: Table;
}

/** A structure with attributes behind it, inside an attribute. */
interface Body<Fields extends FieldTable, Table extends AttributeTable> {
  readonly form: "body";
  readonly struct: Struct<Fields>;
  readonly table: Table;
}

/** Attributes whose table depends on the text of a sibling that comes before them. */
interface Choice<By extends string, Tables extends Readonly<Record<string, AttributeTable>>> {
  readonly form: "choice";
  readonly by: By;
  readonly among: Tables;
}

// deno-lint-ignore no-explicit-any -- any fields, any tables: the only way to say so in a constraint
type AnyForm = Nested<any> | Body<any, any> | Choice<string, any>;

/** Kernel name → [number, type]. */
export type AttributeTable = Readonly<Record<string, readonly [number: number, type: Scalar | AnyForm]>>;

type FormValue<Form> = Form extends Scalar ? ScalarValues[Form]
  : Form extends Nested<infer Table> ? AttributeValues<Table>
  : Form extends Body<infer Fields, infer Table>
    ? { readonly header: Partial<StructValues<Fields>>; readonly attributes: AttributeValues<Table> }
  : Form extends Choice<string, infer Tables> ? Partial<UnionToIntersection<AttributeValues<Tables[keyof Tables]>>>
  : never;

type UnionToIntersection<Union> = (Union extends unknown ? (each: Union) => void : never) extends
  (all: infer All) => void ? All : never;

/** The values of a table's attributes: all optional, since the kernel leaves out what does not apply. */
export type AttributeValues<Table extends AttributeTable> = Table extends unknown
  ? { readonly [Name in keyof Table]?: FormValue<Table[Name][1]> | undefined }
  : never;

/** Any table's values, as the codec sees them. */
export type LooseValues = Readonly<Record<string, unknown>>;

/** The type of an attribute that holds attributes. */
export function nested<const Table extends AttributeTable>(table: Table): Nested<Table> {
  return { form: "nested", table };
}

/** The type of an attribute that holds a structure with attributes behind it. */
export function body<Fields extends FieldTable, const Table extends AttributeTable>(
  struct: Struct<Fields>,
  table: Table,
): Body<Fields, Table> {
  return { form: "body", struct, table };
}

/** The type of an attribute that holds attributes of the table that the text of its sibling `by` names. */
export function choice<
  const By extends string,
  const Tables extends Readonly<Record<string, AttributeTable>>,
>(by: By, among: Tables): Choice<By, Tables> {
  return { form: "choice", by, among };
}

/**
 * Writes the attributes of `values` in their own order; a value of `undefined` is left out.
 * Throws a RangeError for a value that does not fit its attribute, and a TypeError for a name not in the table.
 */
export function writeAttributes(writer: AttributeWriter, table: AttributeTable, values: LooseValues): void {
  for (const name in values) {
    const value = values[name];
    if (value === undefined) continue;
    const row = table[name];
    if (row === undefined) throw new TypeError(`${name} is not an attribute of this message`);
    const [number, type] = row;
    if (typeof type === "string") writeScalar(writer, number, { type, value });
    else {
      const start = writer.openNested(number);
      if (type.form === "nested") writeAttributes(writer, type.table, value as LooseValues);
      else if (type.form === "body") {
        const parts = value as { header: Record<string, never>; attributes: LooseValues };
        type.struct.write(parts.header, writer.reserve(type.struct.size));
        writeAttributes(writer, type.table, parts.attributes);
      } else {
        const chosen = chosenTable(type, values);
        if (chosen === undefined) throw new TypeError(`${name} has no table for ${values[type.by]}`);
        writeAttributes(writer, chosen, value as LooseValues);
      }
      writer.closeNested(start);
    }
  }
}

/** The table that a sibling's text chooses; `undefined` for a text without one. */
export function chosenTable(form: Choice<string, Record<string, AttributeTable>>, siblings: LooseValues) {
  const key = siblings[form.by];
  // The kernel's text: it may be the name of something every object has.
  return typeof key === "string" && Object.hasOwn(form.among, key) ? form.among[key] : undefined;
}

// The casts of this function hold because AttributeValues is the only way to values from outside.
function writeScalar(
  writer: AttributeWriter,
  number: number,
  { type, value }: { type: Scalar; value: unknown },
): void {
  switch (type) {
    case "u8":
    case "u16":
    case "u32":
    case "s32":
    case "be16":
    case "be32":
      return writer[type](number, value as number);
    case "u64":
    case "be64":
      return writer[type](number, value as bigint);
    case "string":
    case "text":
      return writer[type](number, value as string);
    case "bytes":
      return writer.bytesOf(number, value as Uint8Array);
    case "flag":
      return writer.flag(number);
    case "ip":
      if (typeof value === "number") return writer.be32(number, value);
      return writer.bytesOf(number, ipv6Bytes(value as string));
    case "mac":
      return writer.bytesOf(number, macBytes(value as string));
    case "u32s":
      return writer.bytesOf(number, new Uint8Array((value as Uint32Array).slice().buffer));
  }
}

const rowsByNumber = new WeakMap<AttributeTable, (string | undefined)[]>();

/** The kernel's name of an attribute number; of two rows with one number the first. */
export function attributeName(table: AttributeTable, number: number): string | undefined {
  return namesOf(table)[number];
}

function namesOf(table: AttributeTable): readonly (string | undefined)[] {
  let names = rowsByNumber.get(table);
  if (names === undefined) {
    names = [];
    for (const name in table) names[(table[name] as readonly [number, unknown])[0]] ??= name;
    rowsByNumber.set(table, names);
  }
  return names;
}

/**
 * Reads attributes by a table. Those not in it are skipped, or kept as bytes under `#NUMBER`.
 * Throws a RangeError where one is truncated or not of its type.
 */
export function readAttributes<Table extends AttributeTable>(
  reader: AttributeReader,
  table: Table,
  { keepUnknown = false }: { keepUnknown?: boolean } = {},
): AttributeValues<Table> {
  const values: Record<string, unknown> = {};
  const names = namesOf(table);
  while (reader.next()) {
    const name = names[reader.type];
    const type = name === undefined ? undefined : table[name]?.[1];
    if (name === undefined || type === undefined) {
      if (keepUnknown) values[`#${reader.type}`] = reader.bytes().slice();
    } else if (typeof type === "string") values[name] = readScalar(reader, name, type);
    else values[name] = readForm(reader, name, { type, siblings: values, keepUnknown });
  }
  // Every key came from the table with a value of its row's type.
  return values as AttributeValues<Table>;
}

function readForm(
  reader: AttributeReader,
  name: string,
  { type, siblings, keepUnknown }: { type: AnyForm; siblings: LooseValues; keepUnknown: boolean },
): unknown {
  if (type.form === "body") {
    if (reader.length < type.struct.size) reader.mismatch(name, type.struct.name);
    const header = type.struct.read(reader.location);
    const skip = (type.struct.size + 3) & ~3;
    return { header, attributes: reader.nested((r) => readAttributes(r, type.table, { keepUnknown }), { skip }) };
  }
  const table = type.form === "nested" ? type.table : chosenTable(type, siblings);
  return reader.nested((r) => readAttributes(r, table ?? {}, { keepUnknown }));
}

function readScalar(reader: AttributeReader, name: string, type: Scalar): unknown {
  switch (type) {
    case "text":
      return reader.string(name);
    case "bytes":
      return reader.bytes().slice();
    case "flag":
      return true;
    case "ip":
      if (reader.length === 4) return ipv4FromNumber(reader.be32(name));
      if (reader.length === 16) return formatIpv6(reader.bytes());
      return reader.mismatch(name, "IP address");
    case "mac":
      if (reader.length !== 6) return undefined; // tunnels have hardware addresses of other lengths
      return formatMac(reader.bytes());
    case "u32s": {
      if (reader.length % 4 !== 0) reader.mismatch(name, "u32 array");
      return new Uint32Array(reader.bytes().slice().buffer);
    }
    default:
      return reader[type](name);
  }
}

/** Values as one line of text: `IFLA_IFNAME "eth0" IFLA_MTU 1500`. For traces. */
export function formatAttributes(table: AttributeTable, values: LooseValues): string {
  const parts: string[] = [];
  for (const name in values) {
    const value = values[name];
    if (value !== undefined) parts.push(`${name} ${formatValue(table[name]?.[1], { value, siblings: values })}`);
  }
  return parts.join(" ");
}

function formatValue(
  type: Scalar | AnyForm | undefined,
  { value, siblings }: { value: unknown; siblings: LooseValues },
): string {
  if (typeof type === "object") {
    if (type.form === "body") {
      const parts = value as { header: LooseValues; attributes: LooseValues };
      const attributes = formatAttributes(type.table, parts.attributes);
      return `{ ${formatHeader(type.struct.name, parts.header)}${attributes === "" ? "" : " "}${attributes} }`;
    }
    const table = type.form === "nested" ? type.table : chosenTable(type, siblings) ?? {};
    return `{ ${formatAttributes(table, value as LooseValues)} }`;
  }
  if (type === "ip" && typeof value === "number") return formatIpv4(ipv4FromNumber(value));
  if (type === "flag") return "yes";
  if (value instanceof Uint8Array) return value.toHex();
  if (value instanceof Uint32Array) return `[${value.join(" ")}]`;
  return type === "string" || type === "text" ? JSON.stringify(value) : String(value);
}

/** A structure as one line of text, fields of zero left out: `ifinfomsg(index 3 flags 0x1)`. */
export function formatHeader(name: string, fields: LooseValues): string {
  const parts: string[] = [];
  for (const field in fields) {
    const value = fields[field];
    if (value === 0 || value === undefined) continue;
    const hex = (field === "flags" || field === "change") && typeof value === "number";
    parts.push(`${field} ${hex ? `0x${value.toString(16)}` : value}`);
  }
  return `${name}(${parts.join(" ")})`;
}
