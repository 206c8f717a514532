import { defineCommand } from "../command.ts";
import { print } from "../output.ts";

export const version = defineCommand({
  name: "version",
  group: "Common Commands",
  summary: "Show the version",
  usage: "[OPTIONS]",
  flags: {
    format: {
      kind: "string",
      short: "f",
      placeholder: "json|TEMPLATE",
      help: "Print JSON, or what a Go template makes of it",
      completes: ["json"],
    },
    licenses: { kind: "boolean", help: "Print the licences of everything inside skdocker" },
  },
  arity: { least: 0, most: 0 },
  examples: [{ line: "skdocker version --format '{{.Client.Version}}'", says: "The version alone" }, {
    line: "skdocker version --licenses",
    says: "MIT, GPL-2 and where to get busybox' source",
  }],
  async run({ values }) {
    if (values.licenses) {
      const { licenses } = await import("#licenses");
      const { readFileSync } = await import("node:fs"); // takes a millisecond, and alone reads files inside the executable
      print(readFileSync(licenses.file, "utf8"));
      return 0;
    }
    const [number, commit] = build();
    const arch = process.arch === "x64" ? "amd64" : process.arch;
    if (values.format !== undefined) {
      const { readFormat } = await import("../template/format.ts");
      // docker's names; without a daemon there is no server to have any.
      const client = { Version: number, GitCommit: commit, Runtime: `Bun ${Bun.version}`, Os: "linux", Arch: arch };
      print(readFormat(values.format)({ Client: client, Server: null }));
      return 0;
    }
    print(`Version:     ${number}\nGit commit:  ${commit}\nRuntime:     Bun ${Bun.version}\n`);
    print(`OS/Arch:     linux/${arch}\n`);
    return 0;
  },
});

/** One line, as `skdocker --version` prints it. */
export function versionLine(): string {
  const [number, commit] = build();
  return `skdocker version ${number}, build ${commit}`;
}

/** Version and commit, which only `scripts/build` knows. */
function build(): [version: string, commit: string] {
  return [
    typeof SKDOCKER_VERSION === "string" ? SKDOCKER_VERSION : "unbuilt",
    typeof SKDOCKER_COMMIT === "string" ? SKDOCKER_COMMIT : "unknown",
  ];
}
