import { expect, test } from "bun:test";
import { canonicalName, commandNames, loadAllCommands } from "./commands.ts";
import { unsupportedCommands, unsupportedFlags, unsupportedNetworkCommands } from "./unsupported.ts";

const commands = await loadAllCommands();

test("every command calls itself what the list calls it", () => {
  expect(commands.map(({ name }) => name)).toEqual(commandNames());
});

test("every alias a command names leads to it", () => {
  for (const { name, aliases = [] } of commands) {
    const parent = name.slice(0, name.lastIndexOf(" ") + 1);
    for (const alias of aliases) expect(canonicalName(parent + alias)).toBe(name);
  }
  expect(canonicalName("constructor")).toBeUndefined();
});

test("every subcommand a command names exists, and every one that exists is named", () => {
  for (const { name, subcommands = [] } of commands) {
    const below = commandNames().filter((other) => other.startsWith(`${name} `));
    expect(subcommands.map((sub) => `${name} ${sub}`).sort()).toEqual(below.sort());
  }
});

test("every command that is shown has an example", () => {
  for (const { name, examples, hidden } of commands) {
    if (!hidden) expect([name, examples.length]).not.toEqual([name, 0]);
  }
});

test("no flag's letter is used twice in a command", () => {
  for (const { name, flags } of commands) {
    const letters = Object.values(flags).flatMap(({ short }) => short ?? []);
    expect([name, new Set(letters).size]).toEqual([name, letters.length]);
  }
});

test("what is refused by name does not exist here", () => {
  for (const word of unsupportedCommands()) expect([word, canonicalName(word)]).toEqual([word, undefined]);
  for (const word of unsupportedNetworkCommands()) {
    expect([word, canonicalName(`net ${word}`)]).toEqual([word, undefined]);
  }
  for (const { name, flags } of commands) {
    const written = Object.entries(flags).flatMap(([long, { short }]) => [`--${long}`, `-${short}`]);
    expect([name, unsupportedFlags(name).filter((flag) => written.includes(flag))]).toEqual([name, []]);
  }
});
