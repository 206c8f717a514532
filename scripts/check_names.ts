/**
 * File names: snake_case, and one that says what is inside. Also what a lock file must not hold: addresses of the
 * registry that one machine happened to use.
 *
 * Usage: bun scripts/check_names.ts [TOP]
 */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { conclude, listedByGit, readSourceFiles, unread } from "./source_files.ts";

/** Names of drawers into which anything could go. */
const SAYS_NOTHING = /(^|[/_])(utils?|helpers?|common|core|managers?|misc|types|stuff)(\.ts$|\/|_)/;

export function checkNames(paths: Iterable<string>): string[] {
  const complaints: string[] = [];
  for (const path of paths) {
    if (!/^[a-z0-9_]+(\.d)?\.ts$/.test(basename(path))) complaints.push(`${path}: file names are snake_case`);
    if (SAYS_NOTHING.test(path)) complaints.push(`${path}: this name doesn't say what is inside`);
  }
  return complaints;
}

/** A lock file names versions and hashes; where they came from is each machine's own business. */
export function checkLockFile(text: string): string[] {
  return /"resolved"\s*:\s*"https?:/.test(text)
    ? ["package-lock.json holds addresses: install with the project's .npmrc"]
    : [];
}

if (import.meta.main) {
  const top = process.argv[2] ?? join(import.meta.dir, "..");
  const directories = ["src", "ffi", "tests", "scripts"];
  const files = readSourceFiles(top, directories);
  const complaints = [
    ...unread(files, listedByGit(top, directories)),
    ...checkNames(files.keys()),
    ...checkLockFile(readFileSync(join(top, "package-lock.json"), "utf8")),
  ];
  conclude("check_names", complaints, `${files.size} files are well named`);
}
