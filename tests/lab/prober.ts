/** A root file system with busybox and the prober in it: a static C program that tries what a hostile one would. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let directory: string | undefined;

/** Compiles a C program of this directory, once for each test file, and returns its path. */
function compiled(name: string, flags: readonly string[]): string {
  directory ??= temporary();
  const path = join(directory, name);
  if (existsSync(path)) return path;
  const command = ["gcc", ...flags, "-O1", "-Wall", "-Werror", "-o", path, join(import.meta.dir, `${name}.c`)];
  const done = Bun.spawnSync(command);
  if (done.exitCode !== 0) throw new Error(`${name}.c could not be compiled: ${done.stderr}`);
  return path;
}

function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), "skprober-"));
  process.on("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A program that stands in for ld.so: it prints the path of the program it was loaded for, with "+" if that opens for writing. */
export function hostileLoader(): string {
  return compiled("loader", ["-nostdlib", "-static-pie", "-fPIE", "-fno-stack-protector"]);
}

/** The prober's bytes: for a container of the built-in busybox, which reads them from its input. */
export function proberBytes(): Uint8Array {
  return readFileSync(compiled("prober", ["-static"]));
}

/** What a shell inside does first: it takes the prober from its input. */
export const TAKE_PROBER = "busybox cat >/bin/prober && chmod 755 /bin/prober";

const DIRECTORIES = ["bin", "etc", "proc", "sys", "dev", "tmp", "root"];
const APPLETS = ["sh", "cat", "ls", "echo", "mount", "umount", "mkdir", "touch", "true", "sleep", "stat", "ip", "head"];

/** Makes a root file system at `path`, or what is missing of it: busybox as the applets of the tests, and /bin/prober. */
export function makeRootfs(path: string): string {
  for (const directory of DIRECTORIES) mkdirSync(join(path, directory), { recursive: true });
  if (existsSync(join(path, "bin/prober"))) return path;
  copyFileSync("/bin/busybox", join(path, "bin/busybox"));
  copyFileSync(compiled("prober", ["-static"]), join(path, "bin/prober"));
  for (const program of ["busybox", "prober"]) chmodSync(join(path, "bin", program), 0o755);
  for (const applet of APPLETS) symlinkSync("busybox", join(path, "bin", applet));
  return path;
}

/** The prober's lines, by their first word. */
export function results(output: string): Record<string, string> {
  const lines = output.split("\n").filter((line) => line !== "");
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]));
}
