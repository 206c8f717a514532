/** What is said of flags and words that mean nothing here. None of it runs unless something is refused. */
import { UserError } from "../user_error.ts";
import type { Flags } from "./command.ts";
import { commandNames } from "./commands.ts";
import { GLOBAL_FLAGS } from "./globals.ts";
import { didYouMean } from "./suggest.ts";
import {
  unsupportedCommands,
  unsupportedFlags,
  unsupportedGlobalFlags,
  unsupportedNetworkCommands,
} from "./unsupported.ts";

/** Refuses a flag (`--nmae`, or `-x` out of the cluster `word`) that `command` doesn't have. */
export function refuseUnknownFlag(word: string, flag: string, command: { name: string; flags: Flags }): never {
  const isGlobal = command.name === "";
  const line = isGlobal ? "skdocker" : `skdocker ${command.name}`;
  const unsupported = isGlobal ? unsupportedGlobalFlags() : unsupportedFlags(command.name);
  if (unsupported.includes(flag)) throw new UserError(`${flag} is not supported yet`);
  const see = `see '${line} --help'`;
  if (!isGlobal && spellings(GLOBAL_FLAGS).includes(flag)) {
    throw new UserError(`${flag} is a flag of skdocker itself and stands before "${command.name}"`);
  }
  if (!flag.startsWith("--")) {
    const within = word === flag ? "" : ` in ${word}`;
    throw new UserError(`unknown shorthand flag: '${flag.slice(1)}'${within}, ${see}`);
  }
  const hint = didYouMean(flag, spellings(command.flags));
  throw new UserError(`unknown flag: ${flag}${hint || `, ${see}`}`);
}

/** Refuses a word that is no command: under the command `parent`, or under skdocker itself (`""`). */
export function refuseUnknownCommand(word: string, parent: string): never {
  const line = parent === "" ? "skdocker" : `skdocker ${parent}`;
  const unsupported = parent === "" ? unsupportedCommands() : parent === "net" ? unsupportedNetworkCommands() : [];
  if (unsupported.includes(word)) throw new UserError(`'${line} ${word}' is not supported yet`);
  const see = `, see '${line} --help'`;
  if (parent !== "") {
    const below = commandNames().flatMap((name) =>
      name.startsWith(`${parent} `) ? [name.slice(parent.length + 1)] : []
    );
    throw new UserError(`${JSON.stringify(word)} is not a command of '${line}'${didYouMean(word, below) || see}`);
  }
  const known = [...commandNames().filter((name) => !name.includes(" ")), "network", "busybox"];
  const hint = didYouMean(word, known) || see;
  throw new UserError(`${JSON.stringify(word)} is neither a command nor a directory${hint}`);
}

/** All ways to write the flags of a table, hidden ones left out: `--name`, `-e`. */
function spellings(flags: Flags): string[] {
  const all: string[] = [];
  for (const [long, { short, hidden }] of Object.entries(flags)) {
    if (hidden) continue;
    all.push(`--${long}`);
    if (short !== undefined) all.push(`-${short}`);
  }
  return all;
}
