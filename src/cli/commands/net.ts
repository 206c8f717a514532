import { defineCommand } from "../command.ts";
import { print } from "../output.ts";

export const net = defineCommand({
  name: "net",
  aliases: ["network"],
  group: "Management Commands",
  summary: "Look at, repair and remove the network",
  usage: "COMMAND",
  flags: {},
  arity: { least: 0, most: 0 },
  subcommands: ["init", "inspect", "ls", "reset"],
  examples: [{ line: "skdocker net reset", says: "Make the network right, whatever happened to it" }],
  async run() {
    const { helpFor } = await import("../help.ts");
    print(await helpFor(["net"]));
    return 0;
  },
});
