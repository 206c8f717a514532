/**
 * Words → flags and positionals, with the rules of pflag, the library behind docker's command line.
 *
 * node:util's `parseArgs` has other rules (`-e=x`, `--rm=false`, flags that end at the first positional)
 * and costs 1.4 ms to load.
 */
import { UserError } from "../user_error.ts";
import type { Arity, Flag, Flags, Values } from "./command.ts";
import { refuseUnknownFlag } from "./unknown.ts";
import { parseBoolean } from "./words/boolean.ts";
import { invalidArgument } from "./words/invalid.ts";

/** What parsing needs to know of a command. */
export interface Grammar<F extends Flags> {
  readonly name: string;
  readonly flags: F;
  readonly flagsFirst?: true;
}

export interface ParsedWords<F extends Flags> {
  readonly values: Values<F>;
  readonly positionals: readonly string[];
  /** Whether `--help` (or `-h`, where the command has no such flag) was among the flags. */
  readonly helpAsked: boolean;
}

type Value = boolean | number | string | string[];

interface Progress {
  readonly grammar: Grammar<Flags>;
  readonly words: readonly string[];
  /** Index of the next word to read. */
  next: number;
  readonly values: Record<string, Value>;
  readonly positionals: string[];
  helpAsked: boolean;
}

/** Parses a command's words. Throws a {@link UserError} for what the command doesn't know or can't read. */
export function parseWords<const F extends Flags>(words: readonly string[], grammar: Grammar<F>): ParsedWords<F> {
  const progress: Progress = { grammar, words, next: 0, values: {}, positionals: [], helpAsked: false };
  while (progress.next < words.length) {
    const word = words[progress.next++] ?? "";
    if (word === "--") break;
    if (word.length < 2 || word[0] !== "-") {
      progress.positionals.push(word);
      if (grammar.flagsFirst) break;
    } else if (word[1] === "-") readLong(progress, word);
    else readCluster(progress, word);
  }
  for (let i = progress.next; i < words.length; i++) progress.positionals.push(words[i] ?? "");
  // store() has given every value the type its flag's kind says.
  const values = progress.values as Values<F>;
  return { values, positionals: progress.positionals, helpAsked: progress.helpAsked };
}

/** Refuses too few or too many positionals. */
export function checkArity(positionals: readonly string[], command: { name: string; arity: Arity }): void {
  const { least, most } = command.arity;
  const count = positionals.length;
  if (count >= least && count <= most) return;
  const wanted = most === 0
    ? "accepts no arguments"
    : `requires ${least === most ? "exactly" : count < least ? "at least" : "at most"} ${
      count < least ? least : most
    } ` +
      ((count < least ? least : most) === 1 ? "argument" : "arguments");
  throw new UserError(`"skdocker ${command.name}" ${wanted}, see 'skdocker ${command.name} --help'`);
}

/** `--name`, `--name=value`, `--name value`. */
function readLong(progress: Progress, word: string): void {
  const equals = word.indexOf("=");
  const long = equals < 0 ? word.slice(2) : word.slice(2, equals);
  if (long === "" || long[0] === "-") throw new UserError(`bad flag syntax: ${word}`);
  const { flags } = progress.grammar;
  const flag = Object.hasOwn(flags, long) ? flags[long] : undefined;
  if (flag === undefined) {
    if (long !== "help") refuseUnknownFlag(word, `--${long}`, progress.grammar);
    progress.helpAsked = true;
    return;
  }
  const written = `--${long}`;
  if (equals >= 0) return store(progress, { long, flag, written, text: word.slice(equals + 1) });
  if (flag.kind === "boolean") return store(progress, { long, flag, written, text: "true" });
  if (progress.next >= progress.words.length) throw new UserError(`flag needs an argument: ${written}`);
  store(progress, { long, flag, written, text: progress.words[progress.next++] ?? "" });
}

/** `-it`, `-eK=V`, `-e=K=V`, `-e K=V`: letters without a value may precede one that has it. */
function readCluster(progress: Progress, word: string): void {
  for (let at = 1; at < word.length; at++) {
    const letter = word[at] ?? "";
    const found = findShort(progress.grammar.flags, letter);
    if (found === undefined) {
      if (letter !== "h") refuseUnknownFlag(word, `-${letter}`, progress.grammar);
      progress.helpAsked = true;
      continue;
    }
    const hit = { ...found, written: `-${letter}` };
    if (at + 2 < word.length && word[at + 1] === "=") return store(progress, { ...hit, text: word.slice(at + 2) });
    if (found.flag.kind === "boolean") {
      store(progress, { ...hit, text: "true" });
      continue;
    }
    if (at + 1 < word.length) return store(progress, { ...hit, text: word.slice(at + 1) });
    if (progress.next >= progress.words.length) {
      throw new UserError(`flag needs an argument: '${letter}' in ${word}`);
    }
    return store(progress, { ...hit, text: progress.words[progress.next++] ?? "" });
  }
}

function findShort(flags: Flags, letter: string): { long: string; flag: Flag } | undefined {
  for (const long in flags) {
    const flag = flags[long];
    if (flag?.short === letter) return { long, flag };
  }
  return undefined;
}

interface Hit {
  readonly long: string;
  readonly flag: Flag;
  /** The flag as it was written, for the error. */
  readonly written: string;
  readonly text: string;
}

function store(progress: Progress, hit: Hit): void {
  const { values } = progress;
  const key = hit.flag.alias ?? hit.long;
  if (hit.flag.kind === "string") values[key] = hit.text;
  else if (hit.flag.kind === "boolean") values[key] = readBoolean(hit);
  else if (hit.flag.kind === "integer") values[key] = readInteger(hit);
  else {
    const list = values[key];
    if (Array.isArray(list)) list.push(hit.text);
    else values[key] = [hit.text];
  }
}

function readBoolean({ text, written }: Hit): boolean {
  return parseBoolean(text, { flag: written, text });
}

/** Decimal. (Go reads 010 as eight, which nobody who writes it means; it is refused.) */
function readInteger({ text, written }: Hit): number {
  const number = Number(text);
  if (/^[+-]?(0|[1-9][0-9]*)$/.test(text) && Number.isSafeInteger(number)) return number;
  throw invalidArgument("not a whole number", { flag: written, text });
}
