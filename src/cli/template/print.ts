/** Values as text: Go's fmt for `%v`, and JSON as docker prints it. */
import { isList, isMap, sortedKeys, Struct, type Value } from "./value.ts";

/** As an action prints it. */
export function printValue(value: Value): string {
  return value === undefined || value === null ? "<no value>" : formatValue(value);
}

/** As `%v` does. */
export function formatValue(value: Value): string {
  return formatParts(value, (part) => typeof part === "number" ? formatFloat(part) : String(part ?? "<nil>"));
}

/**
 * Brackets and keys of lists, maps and structs around what `format` makes of the values in them. The names of a struct's
 * fields are printed where they are asked for.
 */
export function formatParts(value: Value, format: (part: Value) => string, isNamed = false): string {
  const inner = (part: Value) => formatParts(part, format, isNamed);
  if (isList(value)) return `[${value.map(inner).join(" ")}]`;
  if (value instanceof Struct) {
    const fields = [...value.fields].map(([name, field]) => (isNamed ? `${name}:` : "") + inner(field));
    return `{${fields.join(" ")}}`;
  }
  if (!isMap(value)) return format(value);
  return `map[${sortedKeys(value).map((key) => `${format(key)}:${inner(value.get(key))}`).join(" ")}]`;
}

/** `%g` with as many digits as are needed: with an exponent below 1e-4 and from 1e+06 on. */
export function formatFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  const size = Math.abs(value);
  if (Object.is(value, -0)) return "-0";
  if (size === 0 || (size >= 1e-4 && size < 1e6)) return String(value);
  return twoDigitExponent(value.toExponential());
}

/** `1e+6` → `1e+06` */
export function twoDigitExponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

/** One line; the keys of a map are sorted, a struct's fields stay as they are. */
export function toJson(value: Value): string {
  if (isList(value)) return `[${value.map(toJson).join(",")}]`;
  if (value instanceof Struct) return jsonObject([...value.fields]);
  if (isMap(value)) return jsonObject(sortedKeys(value).map((key) => [key, value.get(key)]));
  if (typeof value === "bigint") return String(value);
  // Two line breaks of Unicode's, which JavaScript once took for its own.
  return JSON.stringify(value ?? null).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

function jsonObject(entries: readonly (readonly [string, Value])[]): string {
  return `{${entries.map(([key, value]) => `${toJson(key)}:${toJson(value)}`).join(",")}}`;
}
