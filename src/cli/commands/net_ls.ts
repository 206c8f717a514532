import type { NetworkSummary } from "../../network/verbs.ts";
import { pathsOf } from "../../store/paths.ts";
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
    format: {
      kind: "string",
      placeholder: "table|json|TEMPLATE",
      help: "Print a table, JSON lines, or what a Go template makes of each network, with 'table TEMPLATE' as a table",
      default: "table",
      completes: ["table", "json"],
    },
    "no-trunc": { kind: "boolean", help: "Do not cut columns to fit the terminal" },
    quiet: { kind: "boolean", short: "q", help: "Print the names alone" },
  },
  arity: { least: 0, most: 0 },
  needsRoot: true,
  examples: [
    { line: "skdocker net ls", says: "Names, drivers, ranges, containers" },
    { line: "skdocker net ls --format 'table {{.Name}}\\t{{.Subnet}}'", says: "Two columns of it" },
  ],
  async run({ values, globals }) {
    const { format = "table" } = values;
    const show = format === "table" ? undefined : await readFormat(format);
    const { listNetworks } = await import("../../network/verbs.ts");
    const { clearDead } = await import("../../container/dead.ts");
    const paths = pathsOf(globals);
    await clearDead(paths, warn);
    const networks = listNetworks(paths);
    // As in docker, a template says more than --quiet.
    if (show !== undefined) print(show(networks.map(dockerFields)));
    else if (values.quiet) print(networks.map(({ name }) => `${name}\n`).join(""));
    else print(tableOf(networks, values["no-trunc"] ? undefined : terminalWidth(1)));
    return 0;
  },
});

function tableOf(networks: readonly NetworkSummary[], width: number | undefined): string {
  const headings = ["NAME", "DRIVER", "SUBNET", "GATEWAY", "CONTAINERS"];
  const rows = networks.map((network) => [
    network.name,
    network.driver,
    network.subnet ?? "",
    network.gateway ?? "",
    String(network.containers),
  ]);
  return formatTable({ headings, rows, width });
}

async function readFormat(format: string) {
  const { readRowFormat } = await import("../template/format.ts");
  return readRowFormat(format, {
    ID: "NETWORK ID",
    Name: "NAME",
    Driver: "DRIVER",
    Scope: "SCOPE",
    IPv6: "IPV6",
    Internal: "INTERNAL",
    Labels: "LABELS",
    Subnet: "SUBNET",
    Gateway: "GATEWAY",
    Containers: "CONTAINERS",
  });
}

/** docker's fields, which are texts there, and three of our own. A network's name is its id. */
function dockerFields({ name, driver, subnet, gateway, containers }: NetworkSummary) {
  return {
    ID: name,
    Name: name,
    Driver: driver,
    Scope: "local",
    IPv6: "false",
    Internal: "false",
    Labels: "",
    Subnet: subnet ?? "",
    Gateway: gateway ?? "",
    Containers: containers,
  };
}
