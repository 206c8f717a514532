/** Go's fmt.Sprintf, Sprint and Sprintln. */
import { formatValue } from "./print.ts";
import type { Value } from "./value.ts";
import { type Directive, formatVerb, withType } from "./verb.ts";

/** The widest that a width or precision may be, as in Go. */
const WIDEST = 1_000_000;

const DIRECTIVE =
  /%(?<flags>[-+# 0]*)(?<first>\[[^\]]*\]?)?(?<width>\*|\d+)?(?<precision>\.(?:\*|\d+)?)?(?<second>\[[^\]]*\]?)?(?<verb>[^])?/gu;

interface Arguments {
  readonly values: readonly Value[];
  next: number;
  /** Whether the place of a value was written (`%[2]d`): what is left over is no mistake then. */
  reordered: boolean;
}

/** `%s %-5d`, with Go's words for what is wrong: `%!d(string=hi)`. */
export function sprintf(format: string, values: readonly Value[]): string {
  const given: Arguments = { values, next: 0, reordered: false };
  let text = "";
  let done = 0;
  for (const { index, 0: whole, groups = {} } of format.matchAll(DIRECTIVE)) {
    text += format.slice(done, index) + formatDirective(groups, given);
    done = index + whole.length;
  }
  text += format.slice(done);
  if (given.reordered || given.next >= values.length) return text;
  return `${text}%!(EXTRA ${values.slice(given.next).map(withType).join(", ")})`;
}

function formatDirective(groups: Record<string, string | undefined>, given: Arguments): string {
  const { flags = "", first, width, precision, second, verb } = groups;
  // (Go forbids a place before a number: it belongs to a `*` or to the verb.)
  const isMisplaced = first !== undefined && (precision !== undefined || (width !== undefined && width !== "*"));
  const isFirstThere = goTo(first, given);
  const wide = measure(width, "WIDTH", given);
  const exact = measure(precision?.slice(1), "PREC", given);
  const isSecondThere = goTo(second, given);
  const complaint = wide.complaint + exact.complaint;
  if (verb === undefined) return `${complaint}%!(NOVERB)`;
  if (verb === "%") return `${complaint}%`;
  if (isMisplaced || !isFirstThere || !isSecondThere) return `${complaint}%!${verb}(BADINDEX)`;
  if (given.next >= given.values.length) return `${complaint}%!${verb}(MISSING)`;
  const value = given.values[given.next++];
  return complaint + formatVerb(value, directive(flags, verb, { wide: wide.number, exact: exact.number }));
}

/** A width or precision: decimal, nothing, or for `*` the next value. */
function measure(text: string | undefined, name: string, given: Arguments): { number?: number; complaint: string } {
  if (text === undefined) return { complaint: "" };
  if (text !== "*") return { number: Number(text), complaint: "" };
  const taken = given.values[given.next++];
  const isUsable = typeof taken === "bigint" && taken <= WIDEST && taken >= -WIDEST;
  return isUsable ? { number: Number(taken), complaint: "" } : { complaint: `%!(BAD${name})` };
}

/** Goes to the value that `[2]` names. Returns false where there is none. */
function goTo(text: string | undefined, given: Arguments): boolean {
  if (text === undefined) return true;
  given.reordered = true;
  const number = /^\[(\d+)\]$/.exec(text)?.[1];
  if (number === undefined || Number(number) < 1 || Number(number) > given.values.length) return false;
  given.next = Number(number) - 1;
  return true;
}

interface Measures {
  readonly wide: number | undefined;
  readonly exact: number | undefined;
}

function directive(flags: string, verb: string, { wide, exact }: Measures): Directive {
  const left = flags.includes("-") || (wide ?? 0) < 0;
  return {
    verb,
    plus: flags.includes("+"),
    space: flags.includes(" "),
    sharp: flags.includes("#"),
    zero: flags.includes("0") && !left,
    left,
    width: wide === undefined ? undefined : Math.min(Math.abs(wide), WIDEST),
    precision: exact === undefined || exact < 0 ? undefined : Math.min(exact, WIDEST),
  };
}

/** The values one after the other; a blank between two of which neither is a string. */
export function sprint(values: readonly Value[]): string {
  let text = "";
  values.forEach((value, i) => {
    const isApart = i > 0 && typeof value !== "string" && typeof values[i - 1] !== "string";
    text += (isApart ? " " : "") + formatValue(value);
  });
  return text;
}

/** The values with a blank between any two, and a line break. */
export function sprintln(values: readonly Value[]): string {
  return `${values.map(formatValue).join(" ")}\n`;
}
