/** The functions of a template: Go's own, and docker's. */
import { compareValues, equalValues } from "./compare.ts";
import { indexValue, lengthOf, sliceValue } from "./element.ts";
import { escapeHtml, escapeJavaScript, escapeQuery } from "./escape.ts";
import { toJson } from "./print.ts";
import { sprint, sprintf, sprintln } from "./printf.ts";
import { TemplateError } from "./template_error.ts";
import { isList, isTrue, type Value } from "./value.ts";

/** What a parameter takes. */
export type Parameter = "any" | "string" | "integer" | "strings";

export interface TemplateFunction {
  readonly parameters: readonly Parameter[];
  /** The last parameter takes any number of arguments, none included. */
  readonly variadic?: true;
  /** The arguments are as many as the parameters say, and of their kinds. */
  readonly call: (...args: readonly Value[]) => Value;
}

/** The longest text that a function returns: a template could double one again and again. */
const LONGEST = 1 << 24;

const anyOf = (call: (...args: readonly Value[]) => Value): TemplateFunction => {
  return { parameters: ["any"], variadic: true, call };
};

const ofString = (call: (text: string) => Value): TemplateFunction => {
  return { parameters: ["string"], call: (text) => call(String(text)) };
};

const comparison = (call: (first: Value, second: Value) => boolean): TemplateFunction => {
  return { parameters: ["any", "any"], call };
};

const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  // Go's. `and` and `or` take no more arguments than they need: evaluate_pipeline.ts knows them.
  and: { parameters: ["any", "any"], variadic: true, call: (...args) => args.at(-1) },
  or: { parameters: ["any", "any"], variadic: true, call: (...args) => args.at(-1) },
  not: { parameters: ["any"], call: (value) => !isTrue(value) },
  len: { parameters: ["any"], call: lengthOf },
  index: { parameters: ["any", "any"], variadic: true, call: indexValue },
  slice: { parameters: ["any", "any"], variadic: true, call: sliceValue },
  eq: { parameters: ["any", "any"], variadic: true, call: equalValues },
  ne: comparison((first, second) => !equalValues(first, second)),
  lt: comparison((first, second) => compareValues(first, second) < 0),
  le: comparison((first, second) => compareValues(first, second) <= 0),
  gt: comparison((first, second) => compareValues(first, second) > 0),
  ge: comparison((first, second) => compareValues(first, second) >= 0),
  print: anyOf((...args) => sprint(args)),
  println: anyOf((...args) => sprintln(args)),
  printf: {
    parameters: ["string", "any"],
    variadic: true,
    call: (format, ...args) => sprintf(String(format), args),
  },
  html: anyOf((...args) => escapeHtml(args)),
  js: anyOf((...args) => escapeJavaScript(args)),
  urlquery: anyOf((...args) => escapeQuery(args)),
  // docker's.
  json: { parameters: ["any"], call: toJson },
  lower: ofString((text) => text.toLowerCase()),
  upper: ofString((text) => text.toUpperCase()),
  title: ofString(titleCase),
  split: { parameters: ["string", "string"], call: (text, separator) => split(String(text), String(separator)) },
  join: { parameters: ["strings", "string"], call: (list, separator) => join(list, String(separator)) },
  pad: {
    parameters: ["string", "integer", "integer"],
    call: (text, before, after) => text === "" ? "" : blanks(before) + String(text) + blanks(after),
  },
  truncate: { parameters: ["string", "integer"], call: (text, bytes) => truncate(String(text), Number(bytes)) },
};

export function isFunction(name: string): boolean {
  return Object.hasOwn(FUNCTIONS, name);
}

/** Whether a table's heading shows nothing of the function: `{{upper .Name}}` has the heading of `{{.Name}}`. */
export function leavesHeadings(name: string): boolean {
  return ["json", "title", "lower", "upper", "truncate", "split", "join"].includes(name);
}

/** The function of that name; parsing has seen to it that there is one. */
export function findFunction(name: string): TemplateFunction {
  const found = FUNCTIONS[name];
  if (found === undefined) throw new Error(`There is no template function "${name}"`);
  return found;
}

/** Calls a function. Throws a {@link TemplateError} that names it. */
export function callFunction(name: string, args: readonly Value[]): Value {
  const { call } = findFunction(name);
  try {
    const value = call(...args);
    if (typeof value === "string" && value.length > LONGEST) throw new TemplateError("the text is too long");
    return value;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new TemplateError(`error calling ${name}: ${error.message}`);
  }
}

/** Go's strings.Title: a capital after everything that is neither letter, digit nor underscore. */
function titleCase(text: string): string {
  return text.replace(/(?<![\p{L}\p{Nd}_]|(?!\s)[^\x00-\x7f])\p{L}/gu, (letter) => letter.toUpperCase());
}

function split(text: string, separator: string): string[] {
  return separator === "" ? Array.from(text) : text.split(separator);
}

function join(list: Value, separator: string): string {
  return isList(list) ? list.join(separator) : "";
}

function blanks(count: Value): string {
  const number = Number(count);
  if (number < 0) throw new TemplateError("strings: negative Repeat count");
  if (number > LONGEST) throw new TemplateError("the text is too long");
  return " ".repeat(number);
}

/** So many bytes, as Go counts. */
function truncate(text: string, bytes: number): string {
  const all = new TextEncoder().encode(text);
  return all.length < bytes ? text : new TextDecoder().decode(all.subarray(0, Math.max(0, bytes)));
}
