/**
 * Elements of sets and maps.
 * Source: nf_tables.h (enum nft_set_elem_attributes, nft_set_elem_list_attributes, nft_set_elem_flags).
 */
import { formatIpv4, ipv4FromNumber, parseIpv4Network } from "../ipv4.ts";
import { AttributeReader, type AttributeWriter } from "../netlink/attributes.ts";
import { writeAttributes } from "../netlink/schema.ts";
import { type Data, readData, readValue, writeData, writeValue } from "./data.ts";
import type { SetDefinition } from "./set.ts";
import { commentOf, commentUserdata } from "./userdata.ts";
import { decodeKey, encodeKey, type ValueType } from "./value_type.ts";
import type { Verdict } from "./verdict.ts";

export interface Element {
  readonly set: SetDefinition;
  /** One text per field of the set's key; in an interval set also `172.16.0.0/16` or `80-90`. */
  readonly key: readonly string[];
  /** What a map has for the key. */
  readonly data?: readonly string[] | Verdict;
  /** Whose element it is. */
  readonly comment?: string;
}

export const ELEMENT_LIST_ATTRIBUTES = {
  NFTA_SET_ELEM_LIST_TABLE: [1, "string"],
  NFTA_SET_ELEM_LIST_SET: [2, "string"],
  NFTA_SET_ELEM_LIST_ELEMENTS: [3, "bytes"],
} as const;

const NFTA_LIST_ELEM = 1;

const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_SET_ELEM_FLAGS = 3;
const NFTA_SET_ELEM_USERDATA = 6;
const NFTA_SET_ELEM_KEY_END = 10;

/** This key is where the interval before it ends. */
const NFT_SET_ELEM_INTERVAL_END = 1;

/** Writes what names an element, to delete it. Throws a RangeError for a key that is not of the set's types. */
export function writeElementName(writer: AttributeWriter, { set, key }: Element): void {
  writeList(writer, { element: { set, key }, naming: true });
}

/** Writes an element to add. Throws a RangeError for a key or value that is not of the set's types. */
export function writeElement(writer: AttributeWriter, element: Element): void {
  writeList(writer, { element, naming: false });
}

function writeList(writer: AttributeWriter, { element, naming }: { element: Element; naming: boolean }): void {
  const { set } = element;
  writeAttributes(writer, ELEMENT_LIST_ATTRIBUTES, {
    NFTA_SET_ELEM_LIST_TABLE: set.table,
    NFTA_SET_ELEM_LIST_SET: set.name,
  });
  writer.nested(ELEMENT_LIST_ATTRIBUTES.NFTA_SET_ELEM_LIST_ELEMENTS[0], () => {
    if (!set.interval) return writeOne(writer, { element, key: encodeKey(set.key, element.key) });
    const { from, to } = keyRange(set.key, element.key);
    if (set.key.length > 1) return writeOne(writer, { element, key: from, keyEnd: to });
    // A set of ranges is a row of beginnings and ends; nft(8) has it begin with an end, at zero.
    if (!naming && from.some((byte) => byte !== 0)) writeIntervalEnd(writer, new Uint8Array(from.length));
    writeOne(writer, { element, key: from });
    const end = successor(to);
    if (end) writeIntervalEnd(writer, end); // the last key of all has no successor: the interval stays open
  });
}

interface One {
  readonly element: Element;
  readonly key: Uint8Array;
  readonly keyEnd?: Uint8Array;
}

function writeOne(writer: AttributeWriter, { element, key, keyEnd }: One): void {
  const { set, data, comment } = element;
  writer.nested(NFTA_LIST_ELEM, () => {
    writeValue(writer, NFTA_SET_ELEM_KEY, key);
    if (keyEnd) writeValue(writer, NFTA_SET_ELEM_KEY_END, keyEnd);
    if (data !== undefined) writeData(writer, NFTA_SET_ELEM_DATA, elementData(set, data));
    if (comment !== undefined) writer.bytesOf(NFTA_SET_ELEM_USERDATA, commentUserdata(comment));
  });
}

function writeIntervalEnd(writer: AttributeWriter, key: Uint8Array): void {
  writer.nested(NFTA_LIST_ELEM, () => {
    writer.be32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    writeValue(writer, NFTA_SET_ELEM_KEY, key);
  });
}

function elementData(set: SetDefinition, data: readonly string[] | Verdict): Data {
  return "verdict" in data ? data : { value: encodeKey(set.data ?? [], data) };
}

/** First and last key of `80-90`, `172.16.0.0/16` or a single value, field by field. */
function keyRange(fields: readonly ValueType[], values: readonly string[]): { from: Uint8Array; to: Uint8Array } {
  const from: string[] = [];
  const to: string[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as string; // i is inside
    // A "-" in the name of a link is only a "-".
    const ends = fields[i] === "ifname" ? [value] : value.includes("/") ? prefixRange(value) : value.split("-");
    const [low = value, high = low] = ends;
    from.push(low);
    to.push(high);
  }
  return { from: encodeKey(fields, from), to: encodeKey(fields, to) };
}

function prefixRange(text: string): [string, string] {
  const { address, prefix } = parseIpv4Network(text);
  const size = 2 ** (32 - prefix);
  if (address % size !== 0) throw new RangeError(`${JSON.stringify(text)} has bits behind its length`);
  return [formatIpv4(address), formatIpv4(ipv4FromNumber(address + size - 1))];
}

/** The next larger key of the same length, `undefined` behind the largest. */
function successor(key: Uint8Array): Uint8Array | undefined {
  const next = key.slice();
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = ((next[i] as number) + 1) & 0xff; // i is inside
    if (next[i] !== 0) return next;
  }
  return undefined;
}

/** An element as the kernel has it. */
export interface DumpedElement {
  /** Text of each field, or the last one of them as `FROM-TO` in a set of ranges over concatenations. */
  readonly key: readonly string[];
  readonly rawKey: Uint8Array;
  readonly data?: Data;
  readonly comment?: string;
  /** Not a key: where the interval before it ends (sets of ranges with one field). */
  readonly intervalEnd?: true;
}

/** The elements of the list in an NFT_MSG_NEWSETELEM. Throws a RangeError where it is truncated. */
export function readElements(list: Uint8Array, fields: readonly ValueType[]): DumpedElement[] {
  const reader = new AttributeReader(list);
  const elements: DumpedElement[] = [];
  while (reader.next()) elements.push(reader.nested(() => readElement(reader, fields)));
  return elements;
}

function readElement(reader: AttributeReader, fields: readonly ValueType[]): DumpedElement {
  let rawKey = new Uint8Array(0) as Uint8Array;
  let keyEnd: Uint8Array | undefined;
  let data: Data | undefined;
  let comment: string | undefined;
  let flags = 0;
  while (reader.next()) {
    if (reader.type === NFTA_SET_ELEM_KEY) rawKey = readValue(reader) ?? rawKey;
    else if (reader.type === NFTA_SET_ELEM_KEY_END) keyEnd = readValue(reader);
    else if (reader.type === NFTA_SET_ELEM_DATA) data = readData(reader);
    else if (reader.type === NFTA_SET_ELEM_USERDATA) comment = commentOf(reader.bytes());
    else if (reader.type === NFTA_SET_ELEM_FLAGS) flags = reader.be32("NFTA_SET_ELEM_FLAGS");
  }
  return {
    key: keyText(fields, { key: rawKey, keyEnd }),
    rawKey,
    ...(data ? { data } : {}),
    ...(comment === undefined ? {} : { comment }),
    ...(flags & NFT_SET_ELEM_INTERVAL_END ? { intervalEnd: true } : {}),
  };
}

function keyText(
  fields: readonly ValueType[],
  { key, keyEnd }: { key: Uint8Array; keyEnd: Uint8Array | undefined },
): string[] {
  const from = decodeKey(fields, key);
  if (!keyEnd) return from;
  const to = decodeKey(fields, keyEnd);
  return from.map((text, index) => (text === to[index] ? text : `${text}-${to[index]}`));
}
