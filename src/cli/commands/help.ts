import { defineCommand } from "../command.ts";
import { print } from "../output.ts";

export const help = defineCommand({
  name: "help",
  group: "Commands",
  summary: "Print help for a command",
  usage: "[COMMAND...]",
  flags: {},
  arity: { least: 0, most: 2 },
  examples: [{ line: "skdocker help net reset", says: "The same as skdocker net reset --help" }],
  async run({ positionals }) {
    const { helpFor } = await import("../help.ts");
    print(await helpFor(positionals));
    return 0;
  },
});
