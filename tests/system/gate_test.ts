/** That the gate can fail: each of its checks, by a violation planted into a copy of this tree. */
import { expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const TOP = resolve(import.meta.dir, "../..");

/** For each check of the gate, what it is there to see: a file, and what stands in it. */
const PLANTED: Readonly<Record<string, readonly [path: string, text: string]>> = {
  "format (deno fmt)": ["src/kernel/planted_format.ts", `const  crooked=1 ;\nvoid crooked;\n`],
  "lint (deno lint)": ["src/kernel/planted_lint.ts", `void (Number(1) == Number(2));\n`],
  "types (tsc)": ["src/kernel/planted_type.ts", `const text: string = 1;\nvoid text;\n`],
  "unused code and exports (knip)": ["src/kernel/planted_export.ts", `export const unused = 1;\n`],
  "dependency rule": [
    "src/kernel/planted_arrow.ts",
    `import type { Paths } from "../store/paths.ts";\n\nvoid ({} as Paths);\n`,
  ],
  "plans are pure": ["src/network/planted_plan.ts", `void Date.now();\n`],
  "file names": ["src/kernel/utils.ts", `void 0;\n`],
};

interface Verdict {
  readonly code: number;
  readonly failed: readonly string[];
  readonly lastLine: string;
}

/** The checks of the gate, as `scripts/test check` runs them in that tree. */
function check(tree: string): Verdict {
  const done = Bun.spawnSync(["bash", "scripts/test", "check"], { cwd: tree, env: { ...process.env, NO_COLOR: "1" } });
  const lines = done.stdout.toString().trimEnd().split("\n");
  const failed = lines.flatMap((line) => /^ +FAILED: (.*)$/.exec(line)?.[1] ?? []);
  return { code: done.exitCode, failed, lastLine: lines.at(-1) ?? "" };
}

test("the gate passes this tree, and each of its checks fails one in which its violation was planted", () => {
  const tree = mkdtempSync(join(tmpdir(), "skdocker-gate-"));
  try {
    const git = (...words: string[]) => Bun.spawnSync(["git", "-c", "safe.directory=*", ...words], { cwd: tree });
    const listed = Bun.spawnSync(["git", "-c", "safe.directory=*", "ls-files", "-z"], { cwd: TOP }).stdout.toString();
    for (const path of listed.split("\0").filter((name) => name !== "")) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      cpSync(join(TOP, path), join(tree, path));
    }
    symlinkSync(join(TOP, "node_modules"), join(tree, "node_modules"));
    git("init", "-q");
    git("add", ".");
    expect(check(tree)).toMatchObject({ code: 0, failed: [] });
    for (const [path, text] of Object.values(PLANTED)) writeFileSync(join(tree, path), text);
    git("add", ".");
    const verdict = check(tree);
    expect(verdict.failed).toEqual(Object.keys(PLANTED));
    expect(verdict).toMatchObject({ code: 1, lastLine: `0 passed, ${verdict.failed.length} failed` });
  } finally {
    rmSync(tree, { recursive: true });
  }
}, 120_000);
