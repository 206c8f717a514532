/** `html`, `js` and `urlquery`. */
import { printValue } from "./print.ts";
import { sprint } from "./printf.ts";
import { isPrintable } from "./quote.ts";
import type { Value } from "./value.ts";

const HTML: Readonly<Record<string, string>> = {
  "\0": "\ufffd",
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};

export function escapeHtml(values: readonly Value[]): string {
  return textOf(values).replace(/[\0"'&<>]/g, (character) => HTML[character] ?? character);
}

export function escapeJavaScript(values: readonly Value[]): string {
  return textOf(values).replace(/[\\'"<>&=]|[\0-\x1f]|[^\0-\x7f]/gu, (character) => {
    if (`\\'"`.includes(character)) return `\\${character}`;
    if (character > "\x7f" && isPrintable(character)) return character;
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
  });
}

export function escapeQuery(values: readonly Value[]): string {
  return encodeURIComponent(textOf(values)).replace(/[!'()*]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  }).replaceAll("%20", "+");
}

/** A string as it is, other values as they are printed. */
function textOf(values: readonly Value[]): string {
  return sprint(values.map((value) => value === null || value === undefined ? printValue(value) : value));
}
