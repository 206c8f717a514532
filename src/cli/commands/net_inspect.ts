import { pathsOf } from "../../store/paths.ts";
import { defineCommand } from "../command.ts";
import { print } from "../output.ts";
import { warn } from "../warn.ts";

export const netInspect = defineCommand({
  name: "net inspect",
  group: "Commands",
  summary: "Show all that is known of a network",
  usage: "[OPTIONS] [NETWORK...]",
  flags: {
    format: {
      kind: "string",
      short: "f",
      placeholder: "json|TEMPLATE",
      help: "Print JSON in one line, or what a Go template makes of each network",
      completes: ["json"],
    },
  },
  arity: { least: 0, most: Infinity },
  needsRoot: true,
  completes: ["bridge"],
  examples: [
    { line: "skdocker net inspect bridge", says: "Range, gateway, containers, as JSON" },
    { line: "skdocker net inspect -f '{{range .Containers}}{{println .Name}}{{end}}'", says: "Names of containers" },
  ],
  async run({ values, positionals, globals }) {
    const { format } = values;
    const isTemplate = format !== undefined && format !== "json";
    const show = isTemplate ? (await import("../template/format.ts")).readFormat(format) : undefined;
    const { inspectNetwork } = await import("../../network/verbs.ts");
    const { clearDead } = await import("../../container/dead.ts");
    const paths = pathsOf(globals);
    await clearDead(paths, warn);
    const names = positionals.length === 0 ? ["bridge"] : positionals;
    const details = names.map((name) => inspectNetwork(paths, name));
    // As in docker: indented for people, one line for programs.
    if (show !== undefined) print(details.map((network) => show(withMaps(network))).join(""));
    else print(JSON.stringify(details, null, format === "json" ? 0 : 4) + "\n");
    return 0;
  },
});

/** What docker declares as maps, of which a template may ask for any key. */
const MAPS = ["Containers", "Options", "Labels"];

function withMaps(network: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const maps = MAPS.map((name) => [name, new Map(Object.entries(network[name] ?? {}))]);
  return { ...network, ...Object.fromEntries(maps) };
}
