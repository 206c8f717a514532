/** One directive of printf: a value, the verb, its flags, width and precision. */
import { formatDecimal } from "./decimal.ts";
import { formatParts, formatValue } from "./print.ts";
import { goQuote, goQuoteCharacter, isPrintable } from "./quote.ts";
import { isList, isMap, sortedKeys, Struct, typeName, type Value } from "./value.ts";

export interface Directive {
  readonly verb: string;
  readonly plus: boolean;
  readonly space: boolean;
  readonly sharp: boolean;
  /** Zeros instead of blanks, at the left. */
  readonly zero: boolean;
  /** Blanks at the right. */
  readonly left: boolean;
  readonly width: number | undefined;
  readonly precision: number | undefined;
}

/** `string=hi`, as in Go's complaints. */
export function withType(value: Value): string {
  return value === undefined || value === null ? "<nil>" : `${typeName(value)}=${formatValue(value)}`;
}

export function formatVerb(value: Value, directive: Directive): string {
  const { verb, plus, sharp } = directive;
  const isNil = value === undefined || value === null;
  if (verb === "T") return pad(isNil ? "<nil>" : typeName(value), directive);
  if (verb === "v" && sharp) return goSyntax(value);
  if (isNil) return verb === "v" ? pad("<nil>", directive) : bad(value, directive);
  // A plus asks %v for the names of fields, not for signs.
  const inner = verb === "v" ? { ...directive, plus: false } : directive;
  const format = (part: Value) => part === null || part === undefined ? "<nil>" : formatPart(part, inner);
  return formatParts(value, format, verb === "v" && plus);
}

function formatPart(part: Value, directive: Directive): string {
  if (typeof part === "boolean") {
    return "tv".includes(directive.verb) ? pad(String(part), directive) : bad(part, directive);
  }
  if (typeof part === "string") return formatString(part, directive);
  if (typeof part === "bigint") return formatInteger(part, directive);
  if (typeof part === "number") return formatNumber(part, directive);
  return bad(part, directive);
}

/** `%!d(string=hi)` */
function bad(value: Value, directive: Directive): string {
  if (value === undefined || value === null) return `%!${directive.verb}(<nil>)`;
  const plain = { ...directive, verb: "v", sharp: false };
  return `%!${directive.verb}(${typeName(value)}=${formatParts(value, (part) => formatPart(part, plain))})`;
}

/** To the width, which counts characters. */
function pad(text: string, { width, left, zero }: Directive): string {
  const missing = Math.max(0, (width ?? 0) - Array.from(text).length);
  return left ? text + " ".repeat(missing) : (zero ? "0" : " ").repeat(missing) + text;
}

function formatString(text: string, directive: Directive): string {
  const { verb, precision, sharp, plus } = directive;
  const cut = precision === undefined ? text : Array.from(text).slice(0, precision).join("");
  switch (verb) {
    case "v":
    case "s":
      return pad(cut, directive);
    case "q":
      return pad(sharp && !/[`\x00-\x08\x0a-\x1f\x7f\ufeff]/.test(cut) ? `\`${cut}\`` : goQuote(cut, plus), directive);
    case "x":
    case "X": {
      const hex = bytesInHex(text, directive);
      return pad(verb === "X" ? hex.toUpperCase() : hex, directive);
    }
    default:
      return bad(text, directive);
  }
}

/** `6869`; `68 69`, with a blank among the flags; `0x6869`, with a `#`. */
function bytesInHex(text: string, { precision, space, sharp }: Directive): string {
  const pairs = Array.from(new TextEncoder().encode(text).slice(0, precision), (byte) => {
    return byte.toString(16).padStart(2, "0");
  });
  if (space) return pairs.map((pair) => sharp ? `0x${pair}` : pair).join(" ");
  return (sharp && pairs.length > 0 ? "0x" : "") + pairs.join("");
}

const BASES: Readonly<Record<string, number>> = { v: 10, d: 10, b: 2, o: 8, O: 8, x: 16, X: 16 };
const PREFIXES: Readonly<Record<string, string>> = { b: "0b", o: "0", x: "0x", X: "0X" };

function formatInteger(value: bigint, directive: Directive): string {
  const { verb, precision, sharp, zero, width } = directive;
  const point = value >= 0n && value <= 0x10ffffn ? Number(value) : 0xfffd;
  if (verb === "c") return pad(String.fromCodePoint(point), directive);
  if (verb === "q") return pad(goQuoteCharacter(point), directive);
  if (verb === "U") return pad(unicode(value, point, sharp), directive);
  const base = BASES[verb];
  if (base === undefined) return bad(value, directive);
  const blanks = { ...directive, zero: false };
  if (precision === 0 && value === 0n) return pad("", blanks);
  const sign = signOf(value < 0n, directive);
  const least = precision ?? (zero ? (width ?? 0) - sign.length : 0);
  const digits = (value < 0n ? -value : value).toString(base).padStart(least, "0");
  const prefix = verb === "O" ? "0o" : sharp && !(verb === "o" && digits.startsWith("0")) ? PREFIXES[verb] ?? "" : "";
  return pad(sign + prefix + (verb === "X" ? digits.toUpperCase() : digits), blanks);
}

function signOf(isNegative: boolean, { plus, space }: Directive): string {
  return isNegative ? "-" : plus ? "+" : space ? " " : "";
}

function unicode(value: bigint, point: number, sharp: boolean): string {
  const code = `U+${BigInt.asUintN(64, value).toString(16).toUpperCase().padStart(4, "0")}`;
  const character = String.fromCodePoint(point);
  return sharp && isPrintable(character) ? `${code} '${character}'` : code;
}

function formatNumber(value: number, directive: Directive): string {
  const { verb, precision, zero, width } = directive;
  if (!"vgGeEfF".includes(verb)) return bad(value, directive);
  const isNegative = value < 0 || Object.is(value, -0);
  const digits = formatDecimal(Math.abs(value), verb.toLowerCase(), precision);
  const sign = signOf(isNegative, directive) || (digits === "+Inf" ? "+" : "");
  const unsigned = digits.replace("+", digits === "+Inf" ? "" : "+");
  const text = verb === "E" || verb === "G" ? unsigned.toUpperCase() : unsigned;
  if (!Number.isFinite(value)) return pad(sign + text, { ...directive, zero: false });
  return pad(sign + (zero ? text.padStart((width ?? 0) - sign.length, "0") : text), directive);
}

/** `%#v`: as it would be written in Go. */
function goSyntax(value: Value): string {
  if (value === undefined || value === null) return "interface {}(nil)";
  if (typeof value === "string") return goQuote(value);
  if (isList(value)) return `${typeName(value)}{${value.map(goSyntax).join(", ")}}`;
  if (value instanceof Struct) return `struct{${entries([...value.fields])}}`;
  if (!isMap(value)) return formatValue(value);
  return `${typeName(value)}{${entries(sortedKeys(value).map((key) => [goQuote(key), value.get(key)]))}}`;
}

function entries(pairs: readonly (readonly [string, Value])[]): string {
  return pairs.map(([name, value]) => `${name}:${goSyntax(value)}`).join(", ");
}
