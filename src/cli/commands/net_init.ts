import { pathsOf } from "../../store/paths.ts";
import { defineCommand } from "../command.ts";

export const netInit = defineCommand({
  name: "net init",
  group: "Commands",
  summary: "Make the bridge and its rules, as the first run would",
  usage: "[OPTIONS]",
  flags: { explain: { kind: "boolean", help: "Print each step as the command for it" } },
  arity: { least: 0, most: 0 },
  needsRoot: true,
  examples: [{ line: "skdocker net init --explain", says: "Make the network and see how" }],
  async run({ values, globals }) {
    const { initNetwork } = await import("../../network/verbs.ts");
    await initNetwork(pathsOf(globals), { explain: values.explain ?? false });
    return 0;
  },
});
