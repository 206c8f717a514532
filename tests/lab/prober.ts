/** A root file system with busybox and the prober in it: a static C program that tries what a hostile one would. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let built: string | undefined;

/** The compiled prober: once for each test file. */
function prober(): string {
  if (built !== undefined) return built;
  const directory = mkdtempSync(join(tmpdir(), "skprober-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const source = join(import.meta.dir, "prober.c");
  const done = Bun.spawnSync(["gcc", "-static", "-O1", "-Wall", "-Werror", "-o", join(directory, "prober"), source]);
  if (done.exitCode !== 0) throw new Error(`The prober could not be compiled: ${done.stderr}`);
  return built = join(directory, "prober");
}

const DIRECTORIES = ["bin", "etc", "proc", "sys", "dev", "tmp", "root"];
const APPLETS = ["sh", "cat", "ls", "echo", "mount", "umount", "mkdir", "touch", "true", "sleep", "stat", "ip", "head"];

/** Makes a root file system at `path`: busybox as every applet a test needs, and /bin/prober. */
export function makeRootfs(path: string): string {
  for (const directory of DIRECTORIES) mkdirSync(join(path, directory), { recursive: true });
  copyFileSync("/bin/busybox", join(path, "bin/busybox"));
  copyFileSync(prober(), join(path, "bin/prober"));
  for (const program of ["busybox", "prober"]) chmodSync(join(path, "bin", program), 0o755);
  for (const applet of APPLETS) symlinkSync("busybox", join(path, "bin", applet));
  return path;
}

/** The prober's lines, by their first word. */
export function results(output: string): Record<string, string> {
  const lines = output.split("\n").filter((line) => line !== "");
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]));
}
