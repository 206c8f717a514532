import { pathsOf } from "../../store/paths.ts";
import { defineCommand } from "../command.ts";
import { formatFacts } from "../facts.ts";
import { print } from "../output.ts";

export const info = defineCommand({
  name: "info",
  group: "Common Commands",
  summary: "Show the host, and which kernel features are used or missing",
  usage: "[OPTIONS]",
  flags: {
    format: {
      kind: "string",
      short: "f",
      placeholder: "json|TEMPLATE",
      help: "Print JSON, or what a Go template makes of it",
      completes: ["json"],
    },
  },
  arity: { least: 0, most: 0 },
  needsRoot: true,
  examples: [
    { line: "skdocker info", says: "What this host can do" },
    { line: "skdocker info --format '{{.KernelVersion}}'", says: "The kernel's version alone" },
  ],
  async run({ values, globals }) {
    const { format } = values;
    const isTemplate = format !== undefined && format !== "json";
    const show = isTemplate ? (await import("../template/format.ts")).readFormat(format) : undefined;
    const { hostFacts } = await import("../../host/facts.ts");
    const { summary } = await import("../../network/summary.ts");
    const { networkFeatures } = await import("../../network/kernel_features.ts");
    const { kernelFeatures, ...host } = hostFacts();
    const facts = {
      ...summary(pathsOf(globals)),
      ...host,
      kernelFeatures: { ...networkFeatures(), ...kernelFeatures },
    };
    if (show !== undefined) print(show(dockerFields(facts)));
    else print(format === "json" ? `${JSON.stringify(facts)}\n` : formatFacts(facts, 0));
    return 0;
  },
});

/** For templates: each fact with a capital, as `.KernelVersion`, and what docker has another name for. */
function dockerFields(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const fields = Object.entries(facts).map(([name, value]) => [name.charAt(0).toUpperCase() + name.slice(1), value]);
  return {
    ...Object.fromEntries(fields),
    ContainersRunning: facts["containers"],
    DockerRootDir: facts["dataRoot"],
    IPv4Forwarding: facts["ipForwarding"] === "1",
    OSType: "linux",
  };
}
