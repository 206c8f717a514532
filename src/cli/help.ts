/** Help, made from the commands' literals in docker's layout; no line is longer than 80 columns. */
import type { Command, Flag, Flags } from "./command.ts";
import { canonicalName, loadAllCommands, loadCommand } from "./commands.ts";
import { GLOBAL_FLAGS } from "./globals.ts";
import { refuseUnknownCommand } from "./unknown.ts";

const WIDTH = 80;

/** The help for what a path of words (`[]`, `["net"]`, `["net", "ls"]`) names. Throws a UserError for no command. */
export async function helpFor(path: readonly string[]): Promise<string> {
  if (path.length === 0) return overview(await loadAllCommands());
  let name = "";
  for (const word of path) {
    const longer = canonicalName(name === "" ? word : `${name} ${word}`);
    if (longer === undefined) refuseUnknownCommand(word, name);
    name = longer;
  }
  const command = await loadCommand(name);
  const below: Command[] = [];
  for (const sub of command.subcommands ?? []) below.push(await loadCommand(`${name} ${sub}`));
  return commandHelp(command, below);
}

/** What `skdocker --help` prints. */
function overview(commands: readonly Command[]): string {
  const top = commands.filter((command) => !command.name.includes(" ") && command.hidden === undefined);
  const sections = ["Common Commands", "Management Commands", "Commands"].map((group) => {
    const members = top.filter((command) => command.group === group);
    return members.length === 0 ? "" : `\n${group}:\n` + commandList(members);
  });
  return "Usage:  skdocker [OPTIONS] COMMAND\n" +
    "        skdocker [OPTIONS] ROOTFS|busybox COMMAND [ARG...]\n\n" +
    "Containers without a daemon, on a network that can be seen and repaired\n" +
    sections.join("") +
    "\nGlobal Options:\n" + flagList(GLOBAL_FLAGS) +
    "\nThe second form runs COMMAND in a new container as 'run --rm -i' does, with a\n" +
    "terminal when there is one: skdocker busybox /bin/sh\n\n" +
    "Run 'skdocker COMMAND --help' for more information on a command.\n";
}

/** What `skdocker COMMAND --help` prints; `below` are its subcommands. */
function commandHelp(command: Command, below: readonly Command[]): string {
  let text = `Usage:  skdocker ${command.name} ${command.usage}`.trimEnd() + `\n\n${command.summary}\n`;
  for (const paragraph of command.description?.split("\n\n") ?? []) text += `\n${wrap(paragraph, WIDTH).join("\n")}\n`;
  if (command.aliases !== undefined) {
    const parent = command.name.slice(0, command.name.lastIndexOf(" ") + 1);
    const all = [command.name, ...command.aliases.map((alias) => parent + alias)];
    text += `\nAliases:\n  ${all.map((name) => `skdocker ${name}`).join(", ")}\n`;
  }
  if (below.length > 0) text += "\nCommands:\n" + commandList(below);
  if (Object.keys(command.flags).length > 0) text += "\nOptions:\n" + flagList(command.flags);
  if (command.examples.length > 0) text += "\nExamples:\n";
  for (const { line, says } of command.examples) text += `  ${line}\n      ${says}\n`;
  if (below.length > 0) text += `\nRun 'skdocker ${command.name} COMMAND --help' for more information on a command.\n`;
  return text;
}

function commandList(commands: readonly Command[]): string {
  const rows = commands.map(({ name, summary }) => [name.slice(name.lastIndexOf(" ") + 1), summary] as const);
  return twoColumns(rows, 2);
}

function flagList(flags: Flags): string {
  const shown = Object.entries(flags).filter(([, flag]) => flag.hidden === undefined);
  return twoColumns(shown.map(([long, flag]) => [flagUsage(long, flag), flagSays(flag)] as const), 3);
}

/** `-e, --env NAME=VALUE`, long names under each other. */
function flagUsage(long: string, flag: Flag): string {
  const value = flag.kind === "boolean" ? "" : ` ${flag.placeholder ?? (flag.kind === "list" ? "list" : flag.kind)}`;
  return `${flag.short === undefined ? "    " : `-${flag.short}, `}--${long}${value}`;
}

function flagSays(flag: Flag): string {
  return flag.default === undefined ? flag.help : `${flag.help} (default ${flag.default})`;
}

/** Two blanks, the left column, `gap` blanks, the right column broken where the line would be too long. */
function twoColumns(rows: readonly (readonly [string, string])[], gap: number): string {
  const left = Math.max(...rows.map(([cell]) => cell.length)) + gap;
  let text = "";
  for (const [cell, says] of rows) {
    const lines = wrap(says, WIDTH - 2 - left);
    text += `  ${cell.padEnd(left)}${lines.join(`\n${" ".repeat(2 + left)}`)}`.trimEnd() + "\n";
  }
  return text;
}

/** Breaks a sentence at blanks into lines of at most `width`. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
