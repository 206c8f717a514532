/** The whole command line: global flags, then a command, or a root file system as in the lecture. */
import { UserError } from "../user_error.ts";
import type { Command, Globals } from "./command.ts";
import { canonicalName, loadCommand } from "./commands.ts";
import { GLOBAL_FLAGS, readGlobals } from "./globals.ts";
import { print } from "./output.ts";
import { checkArity, parseWords } from "./parse.ts";
import { isDirectory, runLecture } from "./run_asked.ts";
import { refuseUnknownCommand } from "./unknown.ts";
import { readRootfsWord } from "./words/rootfs.ts";

/** Whether `--debug` was said, told as soon as it is known: an error may come at any time. */
export interface Telling {
  debug: boolean;
}

/** Does what the words say; returns the exit code. Throws what main prints. */
export async function runCommandLine(words: readonly string[], telling: Telling): Promise<number> {
  const { values, positionals } = parseWords(words, { name: "", flags: GLOBAL_FLAGS, flagsFirst: true });
  telling.debug = values.debug ?? false;
  const [first] = positionals;
  if (values.help || (first === undefined && !values.version)) return await showHelp([]);
  const globals = readGlobals(values);
  const name = first === undefined ? undefined : canonicalName(first);
  if (values.version && (first === undefined || name !== undefined)) return await showVersion();
  if (name !== undefined) return await runCommand(await loadCommand(name), positionals.slice(1), globals);
  if (first !== undefined && readRootfsWord(first, isDirectory) === undefined) refuseUnknownCommand(first, "");
  requireRoot();
  return await runLecture(positionals, { verbose: values.version ?? false, globals });
}

async function runCommand(command: Command, words: readonly string[], globals: Globals): Promise<number> {
  const { values, positionals, helpAsked } = parseWords(words, command.subcommands ? groupGrammar(command) : command);
  const [first] = positionals;
  if (command.subcommands !== undefined && first !== undefined) {
    const name = canonicalName(`${command.name} ${first}`);
    if (name === undefined) refuseUnknownCommand(first, command.name);
    return await runCommand(await loadCommand(name), positionals.slice(1), globals);
  }
  if (helpAsked) return await showHelp([command.name]);
  checkArity(positionals, command);
  if (command.needsRoot) requireRoot();
  return await command.run({ values, positionals, globals });
}

/** Flags after the subcommand are the subcommand's. */
function groupGrammar(command: Command) {
  return { name: command.name, flags: command.flags, flagsFirst: true } as const;
}

async function showHelp(path: readonly string[]): Promise<number> {
  const { helpFor } = await import("./help.ts");
  print(await helpFor(path));
  return 0;
}

async function showVersion(): Promise<number> {
  const { versionLine } = await import("./commands/version.ts");
  print(`${versionLine()}\n`);
  return 0;
}

/** Before anything else is touched: half of a start is no use to anybody. */
function requireRoot(): void {
  if (process.geteuid?.() !== 0) throw new UserError("must be run as root (try sudo)");
}
