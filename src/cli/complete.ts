/** What may follow an unfinished command line: the shells' completion asks for it at every tab. */
import type { Command, Flag, Flags } from "./command.ts";
import { canonicalName } from "./commands.ts";
import { GLOBAL_FLAGS } from "./globals.ts";

interface Candidate {
  readonly word: string;
  readonly says: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** What of the file system may stand there besides. */
  readonly paths: "none" | "directory" | "file";
}

const NOTHING: Completion = { candidates: [], paths: "none" };

/** Where the words lead to: a command (undefined: skdocker itself), a flag without its value, somebody else's words. */
interface Place {
  readonly command: Command | undefined;
  readonly flag: Flag | undefined;
  readonly foreign: boolean;
}

/** Completes the last of `words` (without `skdocker` itself; the last may be empty). */
export function complete(words: readonly string[], commands: readonly Command[]): Completion {
  const joined = joinAtEquals(words);
  const current = joined.at(-1) ?? "";
  const place = follow(joined.slice(0, -1), commands);
  if (place.foreign) return NOTHING;
  if (place.flag !== undefined) return valuesOf(place.flag, { typed: current, prefix: "" });
  const flags: Flags = place.command?.flags ?? GLOBAL_FLAGS;
  const equals = current.indexOf("=");
  if (current.startsWith("--") && equals > 0) {
    const flag = Object.hasOwn(flags, current.slice(2, equals)) ? flags[current.slice(2, equals)] : undefined;
    // A shell that breaks words at "=" wants the value alone.
    const prefix = words.at(-1) === current ? current.slice(0, equals + 1) : "";
    return flag === undefined ? NOTHING : valuesOf(flag, { typed: current.slice(equals + 1), prefix });
  }
  if (current.startsWith("-")) return offer(flagWords(flags), current);
  if (place.command?.name !== "help") return wordsFor(place.command, { typed: current, commands });
  const asked = follow(joined.slice(joined.indexOf("help") + 1, -1), commands);
  const below = asked.foreign ? [] : commandsBelow(asked.command, commands);
  return offer(below, current);
}

/** bash breaks `--network=no` into three words. */
function joinAtEquals(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "=" && joined.at(-1)?.startsWith("--")) joined.push(`${joined.pop()}=${words[++i] ?? ""}`);
    else joined.push(word);
  }
  return joined;
}

function follow(words: readonly string[], commands: readonly Command[]): Place {
  let command: Command | undefined;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--") return { command, flag: undefined, foreign: true };
    if (word.startsWith("-")) {
      const flag = flagThatWaits(word, command?.flags ?? GLOBAL_FLAGS);
      if (flag === undefined) continue;
      if (++i === words.length) return { command, flag, foreign: false };
      continue;
    }
    const path = command === undefined ? word : `${command.name} ${word}`;
    const isGroup = command === undefined || command.subcommands !== undefined;
    const next = isGroup ? commands.find(({ name }) => name === canonicalName(path)) : undefined;
    if (next !== undefined) command = next;
    else if (command === undefined || command.flagsFirst) return { command, flag: undefined, foreign: true };
  }
  return { command, flag: undefined, foreign: false };
}

/** The flag whose value is the next word: `--name`, `-e`, the `e` of `-ite`. */
function flagThatWaits(word: string, flags: Flags): Flag | undefined {
  if (word.includes("=")) return undefined;
  const long = word.slice(2);
  const flag = word.startsWith("--")
    ? Object.hasOwn(flags, long) ? flags[long] : undefined
    : Object.values(flags).find(({ short }) => short === word.at(-1));
  return flag === undefined || flag.kind === "boolean" ? undefined : flag;
}

function valuesOf(flag: Flag, { typed, prefix }: { typed: string; prefix: string }): Completion {
  const { completes } = flag;
  if (completes === undefined || flag.kind === "boolean") return NOTHING;
  if (typeof completes === "string") return { candidates: [], paths: completes };
  const words = completes.map((word) => ({ word, says: "" }));
  const { candidates } = offer(words, typed);
  return { candidates: candidates.map(({ word, says }) => ({ word: prefix + word, says })), paths: "none" };
}

function flagWords(flags: Flags): Candidate[] {
  const words = Object.entries(flags).flatMap(([long, flag]) =>
    flag.hidden ? [] : [{ word: `--${long}`, says: flag.help }]
  );
  return words.some(({ word }) => word === "--help") ? words : [...words, { word: "--help", says: "Print help" }];
}

function wordsFor(command: Command | undefined, context: { typed: string; commands: readonly Command[] }): Completion {
  const { typed, commands } = context;
  if (command === undefined || command.subcommands !== undefined) {
    const words = commandsBelow(command, commands);
    if (command !== undefined) return offer(words, typed);
    return {
      ...offer([...words, { word: "busybox", says: "The built-in root file system" }], typed),
      paths: "directory",
    };
  }
  const { completes = [] } = command;
  if (completes === "directory") return { candidates: [], paths: "directory" };
  const isRootfs = completes.includes("busybox");
  return { ...offer(completes.map((word) => ({ word, says: "" })), typed), paths: isRootfs ? "directory" : "none" };
}

/** The commands under one, or under skdocker itself. */
function commandsBelow(command: Command | undefined, commands: readonly Command[]): Candidate[] {
  const prefix = command === undefined ? "" : `${command.name} `;
  const below = commands.filter(({ name, hidden }) =>
    name.startsWith(prefix) && !name.slice(prefix.length).includes(" ") && !hidden
  );
  return below.map(({ name, summary }) => ({ word: name.slice(prefix.length), says: summary }));
}

function offer(candidates: readonly Candidate[], typed: string): Completion {
  return { candidates: candidates.filter(({ word }) => word.startsWith(typed)), paths: "none" };
}
