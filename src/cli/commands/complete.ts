import { defineCommand } from "../command.ts";
import { loadAllCommands } from "../commands.ts";
import { complete } from "../complete.ts";
import { print } from "../output.ts";

/** What the completion scripts call: a candidate a line, a tab before its description, `:directory` or `:file`. */
export const completeWords = defineCommand({
  name: "__complete",
  group: "Commands",
  summary: "Complete a command line",
  usage: "[WORD...]",
  flags: {},
  arity: { least: 0, most: Infinity },
  flagsFirst: true,
  hidden: true,
  examples: [],
  async run({ positionals }) {
    const { candidates, paths } = complete(positionals, await loadAllCommands());
    let text = candidates.map(({ word, says }) => says === "" ? `${word}\n` : `${word}\t${says}\n`).join("");
    if (paths !== "none") text += `:${paths}\n`;
    print(text);
    return 0;
  },
});
