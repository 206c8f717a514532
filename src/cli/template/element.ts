/** `index`, `slice` and `len`. A string's elements are its bytes, as in Go. */
import { TemplateError } from "./template_error.ts";
import { isList, isMap, typeName, type Value } from "./value.ts";

export function lengthOf(item: Value): bigint {
  if (typeof item === "string") return BigInt(new TextEncoder().encode(item).length);
  if (isList(item)) return BigInt(item.length);
  if (isMap(item)) return BigInt(item.size);
  throw new TemplateError(item === null || item === undefined ? "len of nil pointer" : `len of type ${typeName(item)}`);
}

/** The element that each key in turn leads to; a key that a map doesn't have leads to nil. */
export function indexValue(item: Value, ...keys: readonly Value[]): Value {
  if (item === undefined || item === null) throw new TemplateError("index of untyped nil");
  let found: Value = item;
  for (const key of keys) found = elementOf(found, key);
  return found;
}

function elementOf(item: Value, key: Value): Value {
  if (item === undefined || item === null) throw new TemplateError("index of nil pointer");
  if (isMap(item)) {
    if (typeof key !== "string") throw new TemplateError(wrongKey(key));
    return item.get(key) ?? null;
  }
  if (isList(item)) return item[position(key, item.length - 1)];
  if (typeof item !== "string") throw new TemplateError(`can't index item of type ${typeName(item)}`);
  const bytes = new TextEncoder().encode(item);
  return BigInt(bytes[position(key, bytes.length - 1)] ?? 0);
}

function wrongKey(key: Value): string {
  if (key === undefined || key === null) return "value is nil; should be of type string";
  return `value has type ${typeName(key)}; should be string`;
}

function position(index: Value, most: number): number {
  if (index === undefined || index === null) throw new TemplateError("cannot index slice/array with nil");
  if (typeof index !== "bigint") throw new TemplateError(`cannot index slice/array with type ${typeName(index)}`);
  if (index < 0n || index > most) throw new TemplateError(`index out of range: ${index}`);
  return Number(index);
}

/** `slice x 1 2` is Go's `x[1:2]`. */
export function sliceValue(item: Value, ...indexes: readonly Value[]): Value {
  if (item === undefined || item === null) throw new TemplateError("slice of untyped nil");
  if (indexes.length > 3) throw new TemplateError(`too many slice indexes: ${indexes.length}`);
  if (typeof item === "string") {
    if (indexes.length === 3) throw new TemplateError("cannot 3-index slice a string");
    const bytes = new TextEncoder().encode(item);
    return new TextDecoder().decode(bytes.subarray(...bounds(indexes, bytes.length)));
  }
  if (!isList(item)) throw new TemplateError(`can't slice item of type ${typeName(item)}`);
  return item.slice(...bounds(indexes, item.length));
}

function bounds(indexes: readonly Value[], length: number): [start: number, end: number] {
  const [start = 0, end = length, capacity = length] = indexes.map((index) => position(index, length));
  if (start > end) throw new TemplateError(`invalid slice index: ${start} > ${end}`);
  if (end > capacity) throw new TemplateError(`invalid slice index: ${end} > ${capacity}`);
  return [start, end];
}
