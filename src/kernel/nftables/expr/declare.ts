/**
 * How an expression is declared: the kernel's name, its attributes by number and kind, and its words.
 * Encode, decode and the explanation all follow from the one declaration.
 *
 * nf_tables has its integers in network order (nf_tables.h says NLA_U32, the kernel reads __be32).
 */
import type { AttributeReader, AttributeWriter } from "../../netlink/attributes.ts";
import { type Data, readData, readValue, writeData, writeValue } from "../data.ts";
import type { RuleText } from "./rule_text.ts";

/** What an attribute holds. `value` is nft_data with bytes, `data` one with bytes or a verdict. */
interface Kinds {
  u8: number;
  u32: number;
  u64: bigint;
  text: string;
  bytes: Uint8Array;
  value: Uint8Array;
  data: Data;
}

type Kind = keyof Kinds;
type Attribute = readonly [number: number, kind: Kind, optional?: "optional"];
type Attributes = Readonly<Record<string, Attribute>>;

type Required<A extends Attributes> = { [K in keyof A as A[K] extends readonly [number, Kind] ? K : never]: A[K] };
type Optional<A extends Attributes> = {
  [K in keyof A as A[K] extends readonly [number, Kind, "optional"] ? K : never]: A[K];
};

type Values<A extends Attributes> =
  & { readonly [K in keyof Required<A>]: Kinds[Required<A>[K][1]] }
  & { readonly [K in keyof Optional<A>]?: Kinds[Optional<A>[K][1]] };

/** A declared expression. */
export interface Declaration<N extends string, A extends Attributes> {
  readonly name: N;
  readonly attributes: A;
  readonly describe: (values: Values<A>, rule: RuleText) => void;
}

/** The data of a declared expression: `expr` is the kernel's name for it. */
export type Fields<D> = D extends Declaration<infer N, infer A> ? { readonly expr: N } & Values<A> : never;

/** Declares an expression. Attributes are sent in the order in which they are declared. */
export function declare<const N extends string, const A extends Attributes>(
  name: N,
  attributes: A,
  describe: (values: Values<A>, rule: RuleText) => void,
): Declaration<N, A> {
  return { name, attributes, describe };
}

/** A declaration without its types, for the tables that hold all of them. */
export type AnyDeclaration = Declaration<string, Attributes>;

/** Writes the attributes of an expression's data. */
export function encodeFields(writer: AttributeWriter, attributes: Attributes, values: object): void {
  for (const name in attributes) {
    const given = (values as Record<string, Kinds[Kind] | undefined>)[name];
    if (given === undefined) continue;
    const attribute = attributes[name] as Attribute;
    const type = attribute[0];
    const value = given as never; // the kind says which of the types it is
    switch (attribute[1]) {
      case "u8":
        writer.u8(type, value);
        break;
      case "u32":
        writer.be32(type, value);
        break;
      case "u64":
        writer.be64(type, value);
        break;
      case "text":
        writer.string(type, value);
        break;
      case "bytes":
        writer.bytesOf(type, value);
        break;
      case "value":
        writeValue(writer, type, value);
        break;
      case "data":
        writeData(writer, type, value);
    }
  }
}

/** The data in an expression's attributes, or `undefined` where a required one is missing or not understood. */
export function decodeFields(attributes: Attributes, reader: AttributeReader): Record<string, unknown> | undefined {
  const values: Record<string, unknown> = {};
  while (reader.next()) {
    for (const name in attributes) {
      const [type, kind] = attributes[name] as Attribute;
      if (type === reader.type) values[name] = readField(reader, name, kind);
    }
  }
  for (const name in attributes) {
    if ((attributes[name] as Attribute).length === 2 && values[name] === undefined) return undefined;
  }
  return values;
}

function readField(reader: AttributeReader, name: string, kind: Kind): Kinds[Kind] | undefined {
  switch (kind) {
    case "u8":
      return reader.u8(name);
    case "u32":
      return reader.be32(name);
    case "u64":
      return reader.be64(name);
    case "text":
      return reader.string(name);
    case "bytes":
      return reader.bytes().slice();
    case "value":
      return readValue(reader);
    case "data":
      return readData(reader);
  }
}
