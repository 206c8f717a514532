import { pathsOf } from "../../store/paths.ts";
import { UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
import { formatFacts } from "../facts.ts";
import { print } from "../output.ts";

export const info = defineCommand({
  name: "info",
  group: "Common Commands",
  summary: "Show the host, and which kernel features are used or missing",
  usage: "[OPTIONS]",
  flags: { format: { kind: "string", short: "f", placeholder: "json", help: "How to print", completes: ["json"] } },
  arity: { least: 0, most: 0 },
  needsRoot: true,
  examples: [{ line: "skdocker info", says: "What this host can do" }],
  async run({ values, globals }) {
    const { format } = values;
    if (format !== undefined && format !== "json") {
      throw new UserError(`--format ${format} is not supported yet, use json`);
    }
    const { hostFacts } = await import("../../host/facts.ts");
    const { summary } = await import("../../network/summary.ts");
    const { networkFeatures } = await import("../../network/kernel_features.ts");
    const { kernelFeatures, ...host } = hostFacts();
    const facts = {
      ...summary(pathsOf(globals)),
      ...host,
      kernelFeatures: { ...networkFeatures(), ...kernelFeatures },
    };
    print(format === "json" ? `${JSON.stringify(facts)}\n` : formatFacts(facts, 0));
    return 0;
  },
});
