import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { checkLayers } from "./check_layers.ts";
import { checkLockFile, checkNames } from "./check_names.ts";
import { checkPurity } from "./check_purity.ts";
import { missedModules, namedModules } from "./imports.ts";

const GOOD: Record<string, string> = {
  "src/main.ts": `import { run } from "./cli/run.ts";\nrun();\n`,
  "src/cli/run.ts":
    `import { attach } from "../network/attach.ts";\nimport type { Id } from "../store/id.ts";\nexport { attach };\n`,
  "src/network/attach.ts": `export async function attach() { return (await import("../kernel/link.ts")).add; }\n`,
  "src/kernel/link.ts": `import { syscall } from "../../ffi/libc.ts";\nexport const add = syscall;\n`,
  "src/store/id.ts": `export type Id = string;\n`,
  "src/user_error.ts": `export class UserError extends Error {}\n`,
  "ffi/libc.ts": `import { dlopen } from "bun:ffi";\nexport const syscall = dlopen;\n`,
};

/** What stands in which file, and what the check must say of it. */
const PLANTED: Record<string, [path: string, text: string, complaint: string]> = {
  "an import to the left": [
    "src/kernel/a.ts",
    `import { x } from "../network/attach.ts";`,
    "kernel may not know network",
  ],
  "a type import": ["src/store/a.ts", `import type { X } from "../network/attach.ts";`, "store may not know network"],
  "an inline type import": [
    "src/store/a.ts",
    `import { type X } from "../network/attach.ts";`,
    "store may not know network",
  ],
  "an import over several lines": [
    "src/store/a.ts",
    `import {\n  x,\n  y,\n} from "../rootfs/b.ts";`,
    "store may not know rootfs",
  ],
  "an import for its effect": ["src/kernel/a.ts", `import "../store/id.ts";`, "kernel may not know store"],
  "a re-export": ["src/host/a.ts", `export { x } from "../network/attach.ts";`, "host may not know network"],
  "a re-export of all": ["src/host/a.ts", `export * from "../network/attach.ts";`, "host may not know network"],
  "a re-export of a type": [
    "src/host/a.ts",
    `export type { X } from "../network/attach.ts";`,
    "host may not know network",
  ],
  "a dynamic import": [
    "src/rootfs/a.ts",
    `const x = await import("../container/b.ts");`,
    "rootfs may not know container",
  ],
  "a dynamic import in a template": [
    "src/rootfs/a.ts",
    "await import(`../container/b.ts`);",
    "rootfs may not know container",
  ],
  "a type query": ["src/rootfs/a.ts", `type X = import("../container/b.ts").X;`, "rootfs may not know container"],
  "a require": ["src/image/a.ts", `const x = require("../network/attach.ts");`, "image may not know network"],
  "a room of the same group": [
    "src/network/a.ts",
    `import { x } from "../rootfs/b.ts";`,
    "network may not know rootfs",
  ],
  "ffi looking up": ["ffi/a.ts", `import { x } from "../src/kernel/link.ts";`, "ffi may not know kernel"],
  "bun:ffi outside ffi": ["src/kernel/a.ts", `import { ptr } from "bun:ffi";`, "only ffi/ may"],
  "a module chosen at run time": ["src/cli/a.ts", `await import(name);`, "cannot be checked"],
  "a room nobody has heard of": [
    "src/kernel/a.ts",
    `import { x } from "../attic/b.ts";`,
    "a room the rule does not know",
  ],
  "a violation after a comment that looks like a string": [
    "src/kernel/a.ts",
    `// don't\nconst r = /["']/;\nimport { x } from "../cli/run.ts";`,
    "kernel may not know cli",
  ],
};

test("a tree that keeps the rule has no complaint", () => {
  expect(checkLayers(new Map(Object.entries(GOOD)))).toEqual([]);
});

for (const [kind, [path, text, complaint]] of Object.entries(PLANTED)) {
  test(`the dependency rule sees ${kind}`, () => {
    const complaints = checkLayers(new Map(Object.entries({ ...GOOD, [path]: text })));
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toStartWith(path);
    expect(complaints[0]).toContain(complaint);
  });
}

test("a comment or a string that speaks of an import is none", () => {
  const text = `// import { x } from "../network/a.ts"\n/* require("../cli/a.ts") */\nconst s = "import(x)";\n`;
  expect(checkLayers(new Map([["src/kernel/a.ts", text]]))).toEqual([]);
});

test("an import that the scan overlooks is seen by Bun's parser", () => {
  const source = `import { x } from "./a.ts";\nx();\n`;
  expect(missedModules(source, namedModules(source))).toEqual([]);
  expect(missedModules(source, [])).toEqual(["./a.ts"]);
});

test("the gate as a program passes a good tree, fails a planted one, and one of which it read too little", () => {
  const top = mkdtempSync(join(tmpdir(), "check-layers-"));
  const gate = () => Bun.spawnSync([process.execPath, join(import.meta.dir, "check_layers.ts"), top]);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(top, path)), { recursive: true });
    writeFileSync(join(top, path), text);
  };
  try {
    for (const [path, text] of Object.entries(GOOD)) write(path, text);
    Bun.spawnSync(["git", "init", "-q"], { cwd: top });
    Bun.spawnSync(["git", "add", "."], { cwd: top });
    expect(gate().exitCode).toBe(0);
    write("src/kernel/planted.ts", `import type { X } from "../network/attach.ts";`);
    expect(gate().exitCode).toBe(1);
    rmSync(join(top, "src/kernel/planted.ts"));
    rmSync(join(top, "src/store/id.ts"));
    const partial = gate();
    expect(partial.exitCode).toBe(1);
    expect(partial.stderr.toString()).toContain("src/store/id.ts: listed by git, but not read");
  } finally {
    rmSync(top, { recursive: true });
  }
});

test("a plan that reaches a system call over two modules is named with the way there", () => {
  const files = new Map(Object.entries({
    "src/network/bridge_plan.ts": `import { a } from "./a.ts";`,
    "src/network/a.ts": `import { syscall } from "../../ffi/libc.ts";`,
    "ffi/libc.ts": `import { dlopen } from "bun:ffi";`,
  }));
  expect(checkPurity(files)).toEqual([
    "src/network/bridge_plan.ts is not pure: src/network/bridge_plan.ts → src/network/a.ts → ffi/libc.ts → bun:ffi",
  ]);
});

test("a plan may import types of impure modules, and use no clock", () => {
  const impure = `import { readFileSync } from "node:fs";`;
  expect(
    checkPurity(
      new Map([["src/container/plan.ts", `import type { A } from "./a.ts";`], ["src/container/a.ts", impure]]),
    ),
  ).toEqual([]);
  expect(checkPurity(new Map([["src/container/plan.ts", `export const t = () => Date.now();`]]))).toHaveLength(1);
  expect(checkPurity(new Map([["src/explain/a.ts", impure]]))).toHaveLength(1);
});

test("drawers and other spellings are not file names", () => {
  expect(checkNames(["src/kernel/link.ts", "src/cli/run_flags.ts", "src/embedded.d.ts"])).toEqual([]);
  for (const path of ["src/utils.ts", "src/helpers/a.ts", "src/net_types.ts", "src/linkTable.ts", "src/core/a.ts"]) {
    expect(checkNames([path])).toHaveLength(1);
  }
});

test("a lock file holds no addresses", () => {
  expect(checkLockFile(`{"version": "1.0.0", "integrity": "sha512-x"}`)).toEqual([]);
  expect(checkLockFile(`{"resolved": "https://example.com/a.tgz"}`)).toHaveLength(1);
});
