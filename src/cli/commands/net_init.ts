import { pathsOf } from "../../store/paths.ts";
import { defineCommand } from "../command.ts";
import { printError } from "../output.ts";
import { stepListeners } from "../step_listeners.ts";
import { warn } from "../warn.ts";

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
    const { clearDead } = await import("../../container/dead.ts");
    const { explain = false } = values;
    const paths = pathsOf(globals);
    await clearDead(paths, warn);
    const listeners = (await stepListeners({ explain }))({ explain, container: null });
    for (const notice of await initNetwork(paths, { listener: listeners.network })) {
      printError(`skdocker: ${notice}\n`);
    }
    listeners.finish();
    return 0;
  },
});
