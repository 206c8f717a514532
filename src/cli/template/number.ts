/** Constants of Go: numbers and characters. */
import { goQuote, goUnquote } from "./quote.ts";
import { TemplateError } from "./template_error.ts";

const INTEGER = /^[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|0|[1-9](?:_?[0-9])*)$/;
const DECIMAL = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

/** The bounds of an int. */
const LEAST = -(2n ** 63n);
const MOST = 2n ** 63n - 1n;

/** An int as bigint, a float64 as number. Throws a {@link TemplateError} for what is neither. */
export function parseNumber(text: string): bigint | number {
  if (text.endsWith("i")) throw new TemplateError(`complex numbers are not supported: ${goQuote(text)}`);
  if (INTEGER.test(text)) return readInteger(text);
  // (Underscores are for integers: strconv.ParseFloat takes them in hexadecimal alone, which is refused here.)
  if (DECIMAL.test(text) && /[.eE]/.test(text)) return Number(text);
  if (DECIMAL.test(text)) throw new TemplateError(`integer overflow: ${goQuote(text)}`);
  throw new TemplateError(`illegal number syntax: ${goQuote(text)}`);
}

function readInteger(text: string): bigint {
  const digits = text.replaceAll("_", "").replace(/^[+-]/, "");
  const magnitude = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits}` : digits);
  const value = text.startsWith("-") ? -magnitude : magnitude;
  if (value < LEAST || value > MOST) throw new TemplateError(`integer overflow: ${goQuote(text)}`);
  return value;
}

/** `'a'`, `'\n'`: the character's number. */
export function parseCharacter(text: string): bigint {
  const [character, more] = goUnquote(text);
  if (character === undefined) throw new TemplateError("invalid syntax");
  if (more !== undefined) throw new TemplateError(`malformed character constant: ${text}`);
  return BigInt(character.codePointAt(0) ?? 0);
}
