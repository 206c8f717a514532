/** Go's quoted strings: read as strconv.Unquote does, written as strconv.Quote does. */
import { TemplateError } from "./template_error.ts";

const LETTERS: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

const ESCAPE =
  /\\(?:([abfnrtv\\])|(['"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([^]?))|[^\\]+/gu;

/** The string that `text`, with its quotes `"`, `'` or `` ` ``, stands for. Throws a {@link TemplateError}. */
export function goUnquote(text: string): string {
  const quote = text[0] ?? "";
  const body = text.slice(1, -1);
  if (quote === "`") return body.replaceAll("\r", "");
  const bytes: number[] = [];
  for (const match of body.matchAll(ESCAPE)) bytes.push(...bytesOf(match, quote));
  // Escapes for bytes may not make a character; such a one is printed as U+FFFD.
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

function bytesOf(match: RegExpMatchArray, quote: string): Iterable<number> {
  const [whole, letter, mark, hex, octal, short, long, wrong] = match;
  if (letter !== undefined) return new TextEncoder().encode(LETTERS[letter] ?? letter);
  if (mark !== undefined && mark === quote) return new TextEncoder().encode(mark);
  if (hex !== undefined) return [parseInt(hex, 16)];
  if (octal !== undefined && parseInt(octal, 8) < 256) return [parseInt(octal, 8)];
  const point = short ?? long;
  if (point !== undefined && isCharacter(parseInt(point, 16))) {
    return new TextEncoder().encode(String.fromCodePoint(parseInt(point, 16)));
  }
  const isPlain = !whole.startsWith("\\");
  if (!isPlain || wrong !== undefined) throw new TemplateError("invalid syntax");
  return new TextEncoder().encode(whole);
}

function isCharacter(point: number): boolean {
  return point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
}

/** In double quotes; what cannot be printed becomes an escape, and what is not ASCII where that is asked for. */
export function goQuote(text: string, isAscii = false): string {
  let quoted = "";
  for (const character of text) quoted += escaped(character, `"`, isAscii);
  return `"${quoted}"`;
}

/** In single quotes, as `%q` prints a number. */
export function goQuoteCharacter(point: number): string {
  return `'${escaped(String.fromCodePoint(isCharacter(point) ? point : 0xfffd), "'")}'`;
}

function escaped(character: string, quote: string, isAscii = false): string {
  if (character === quote || character === "\\") return `\\${character}`;
  if (isPrintable(character) && !(isAscii && character > "\x7f")) return character;
  const letter = Object.entries(LETTERS).find(([, meant]) => meant === character)?.[0];
  if (letter !== undefined) return `\\${letter}`;
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  if (hex.length <= 2 && character < "\x80") return `\\x${hex.padStart(2, "0")}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

/** Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols and the blank. */
export function isPrintable(character: string): boolean {
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character);
}
