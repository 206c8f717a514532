import { pathsOf } from "../../store/paths.ts";
import { UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
import { print } from "../output.ts";
import { formatTable } from "../table.ts";
import { terminalWidth } from "../terminal.ts";
import { warn } from "../warn.ts";

export const netLs = defineCommand({
  name: "net ls",
  aliases: ["list"],
  group: "Commands",
  summary: "List networks",
  usage: "[OPTIONS]",
  flags: {
    format: { kind: "string", placeholder: "table|json", help: "How to print", default: "table", completes: ["json"] },
    quiet: { kind: "boolean", short: "q", help: "Print the names alone" },
  },
  arity: { least: 0, most: 0 },
  needsRoot: true,
  examples: [{ line: "skdocker net ls", says: "Names, drivers, ranges, containers" }],
  async run({ values, globals }) {
    const { format = "table" } = values;
    if (format !== "table" && format !== "json") {
      throw new UserError(`--format ${format} is not supported yet, use json`);
    }
    const { listNetworks } = await import("../../network/verbs.ts");
    const { clearDead } = await import("../../container/dead.ts");
    const paths = pathsOf(globals);
    await clearDead(paths, warn);
    const networks = listNetworks(paths);
    if (values.quiet) print(networks.map(({ name }) => `${name}\n`).join(""));
    else if (format === "json") print(networks.map((network) => `${JSON.stringify(network)}\n`).join(""));
    else {
      const headings = ["NAME", "DRIVER", "SUBNET", "GATEWAY", "CONTAINERS"];
      const rows = networks.map((network) => [
        network.name,
        network.driver,
        network.subnet ?? "",
        network.gateway ?? "",
        String(network.containers),
      ]);
      print(formatTable({ headings, rows, width: terminalWidth(1) }));
    }
    return 0;
  },
});
