import { pathsOf } from "../../store/paths.ts";
import { UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
import { print } from "../output.ts";
import { warn } from "../warn.ts";

export const netInspect = defineCommand({
  name: "net inspect",
  group: "Commands",
  summary: "Show all that is known of a network",
  usage: "[OPTIONS] [NETWORK...]",
  flags: { format: { kind: "string", short: "f", placeholder: "json", help: "How to print", completes: ["json"] } },
  arity: { least: 0, most: Infinity },
  needsRoot: true,
  completes: ["bridge"],
  examples: [{ line: "skdocker net inspect bridge", says: "Range, gateway, containers, as JSON" }],
  async run({ values, positionals, globals }) {
    const { format } = values;
    if (format !== undefined && format !== "json") {
      throw new UserError(`--format ${format} is not supported yet, use json`);
    }
    const { inspectNetwork } = await import("../../network/verbs.ts");
    const { clearDead } = await import("../../container/dead.ts");
    const paths = pathsOf(globals);
    await clearDead(paths, warn);
    const names = positionals.length === 0 ? ["bridge"] : positionals;
    const details = names.map((name) => inspectNetwork(paths, name));
    // As in docker: indented for people, one line for programs.
    print(JSON.stringify(details, null, format === "json" ? 0 : 4) + "\n");
    return 0;
  },
});
