/** The project's TypeScript files, and the proof that none was overlooked. */
import { readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Path from the project's top, with slashes → text. */
export type SourceFiles = ReadonlyMap<string, string>;

/** Reads every .ts file below the named directories of `top`. */
export function readSourceFiles(top: string, directories: readonly string[]): SourceFiles {
  const files = new Map<string, string>();
  for (const directory of directories) {
    for (const entry of readdirSync(join(top, directory), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
      const path = join(entry.parentPath, entry.name);
      files.set(path.slice(top.length + 1), readFileSync(path, "utf8"));
    }
  }
  return files;
}

/** The .ts files git lists below the directories: every one must have been read. */
export function listedByGit(top: string, directories: readonly string[]): string[] {
  const listed = Bun.spawnSync(
    ["git", "-c", "safe.directory=*", "ls-files", "-z", "--", ...directories.map((name) => `${name}/*.ts`)],
    { cwd: top },
  );
  if (listed.exitCode !== 0) throw new Error(`git ls-files failed: ${listed.stderr}`);
  return listed.stdout.toString().split("\0").filter((path) => path !== "");
}

/** A complaint for each file that git lists and nobody read. */
export function unread(files: SourceFiles, listed: readonly string[]): string[] {
  const missing = listed.filter((path) => !files.has(path)).map((path) => `${path}: listed by git, but not read`);
  return files.size === 0 ? [...missing, "no file was read at all"] : missing;
}

/** Prints the complaints of a check and ends the process: 0 when there are none. */
export function conclude(check: string, complaints: readonly string[], summary: string): never {
  const verdict = complaints.length === 0 ? summary : `${complaints.length} complaints`;
  writeSync(2, [...complaints, `${check}: ${verdict}`, ""].join("\n"));
  process.exit(complaints.length === 0 ? 0 : 1);
}
