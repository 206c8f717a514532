/** The whole command line: global flags, then a command, or a root file system as in the lecture. */
import { UserError } from "../user_error.ts";
import type { Command, Globals } from "./command.ts";
import { canonicalName, loadCommand } from "./commands.ts";
import { GLOBAL_FLAGS, readGlobals } from "./globals.ts";
import { print } from "./output.ts";
import { checkArity, parseWords } from "./parse.ts";
import { refuseUnknownCommand } from "./unknown.ts";
import { readRootfsWord } from "./words/rootfs.ts";

/** Whether `--debug` was said, told as soon as it is known: an error may come at any time. */
export interface Telling {
  debug: boolean;
}

/** Does what the words say; returns the exit code. Throws what main prints. */
export function runCommandLine(words: readonly string[], telling: Telling): number | Promise<number> {
  const { values, positionals } = parseWords(words, { name: "", flags: GLOBAL_FLAGS, flagsFirst: true });
  telling.debug = values.debug ?? false;
  const [first] = positionals;
  if (values.help || (first === undefined && !values.version)) return showHelp([]);
  const globals = readGlobals(values);
  const name = first === undefined ? undefined : canonicalName(first);
  if (values.version && (first === undefined || name !== undefined)) return showVersion();
  if (name !== undefined) return findAndRun(name, positionals.slice(1), globals);
  const { isDirectory, runLecture } = require("./run_asked.ts") as typeof import("./run_asked.ts");
  if (first !== undefined && readRootfsWord(first, isDirectory) === undefined) refuseUnknownCommand(first, "");
  requireRoot();
  return runLecture(positionals, { verbose: values.version ?? false, globals });
}

function findAndRun(name: string, words: readonly string[], globals: Globals): number | Promise<number> {
  const command = loadCommand(name);
  if (!(command instanceof Promise)) return runCommand(command, words, globals);
  return command.then((loaded) => runCommand(loaded, words, globals));
}

function runCommand(command: Command, words: readonly string[], globals: Globals): number | Promise<number> {
  const { values, positionals, helpAsked } = parseWords(words, command.subcommands ? groupGrammar(command) : command);
  const [first] = positionals;
  if (command.subcommands !== undefined && first !== undefined && !helpAsked) {
    const name = canonicalName(`${command.name} ${first}`);
    if (name === undefined) refuseUnknownCommand(first, command.name);
    return findAndRun(name, positionals.slice(1), globals);
  }
  if (helpAsked) return showHelp([command.name]);
  checkArity(positionals, command);
  if (command.needsRoot) requireRoot();
  return command.run({ values, positionals, globals });
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
