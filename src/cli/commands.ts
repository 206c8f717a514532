/**
 * All commands: by which words they are found, and where they are. A command's file is evaluated when it is
 * asked for; that of `run` without an `await`, the first of which costs 0.1 ms.
 */
import type { Command } from "./command.ts";

type Load = () => Command | Promise<Command>;

/** In the order in which help lists them. */
const COMMANDS: Readonly<Record<string, Load>> = {
  run: () => (require("./commands/run.ts") as typeof import("./commands/run.ts")).run,
  info: async () => (await import("./commands/info.ts")).info,
  version: async () => (await import("./commands/version.ts")).version,
  net: async () => (await import("./commands/net.ts")).net,
  "net init": async () => (await import("./commands/net_init.ts")).netInit,
  "net inspect": async () => (await import("./commands/net_inspect.ts")).netInspect,
  "net ls": async () => (await import("./commands/net_ls.ts")).netLs,
  "net reset": async () => (await import("./commands/net_reset.ts")).netReset,
  completion: async () => (await import("./commands/completion.ts")).completion,
  help: async () => (await import("./commands/help.ts")).help,
  __complete: async () => (await import("./commands/complete.ts")).completeWords,
};

/** Other words for a command; its literal names them too, for help. */
const ALIASES: Readonly<Record<string, string>> = { network: "net", "net list": "net ls" };

/** The names of all commands, `net ls` and the like included. */
export function commandNames(): string[] {
  return Object.keys(COMMANDS);
}

/** A command's own name for what was typed, or undefined where it isn't one. */
export function canonicalName(words: string): string | undefined {
  const name = Object.hasOwn(ALIASES, words) ? ALIASES[words] : words;
  return name !== undefined && Object.hasOwn(COMMANDS, name) ? name : undefined;
}

/** The command with that own name. */
export function loadCommand(name: string): Command | Promise<Command> {
  const load = COMMANDS[name];
  if (load === undefined) throw new Error(`There is no command "${name}"`);
  return load();
}

/** All commands, for help and completion. */
export async function loadAllCommands(): Promise<Command[]> {
  const all: Command[] = [];
  for (const name of commandNames()) all.push(await loadCommand(name));
  return all;
}
