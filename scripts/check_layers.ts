/**
 * The dependency rule: `cli → explain → container → network, rootfs, image → store, host → kernel → ffi`. A room
 * imports itself and what lies to its right, nothing of its own group; types count like values. bun:ffi is imported
 * in ffi/ alone, and what scripts/build embeds by the one room that owns it.
 *
 * Usage: bun scripts/check_layers.ts [TOP]
 */
import { join, normalize } from "node:path";
import { missedModules, type NamedModule, namedModules } from "./imports.ts";
import { conclude, listedByGit, readSourceFiles, type SourceFiles, unread } from "./source_files.ts";

/** Left to right; a room may import every later group. */
const GROUPS: readonly (readonly string[])[] = [
  ["main"],
  ["cli"],
  // Prints the plans of all the others.
  ["explain"],
  ["container"],
  ["network", "rootfs", "image"],
  ["store", "host"],
  ["kernel"],
  // What every room uses: an error for people, the announcement of a step, what is to be taken back.
  ["user_error", "steps", "undo"],
  ["ffi"],
];

/** Modules that one room alone may name. */
const OWNED: Readonly<Record<string, string>> = { "bun:ffi": "ffi", "#busybox": "rootfs", "#licenses": "cli" };

/** The room a file belongs to: a folder of src/, ffi, or the name of a file that lies in src/ itself. */
export function roomOf(path: string): string {
  const [top, second = ""] = path.split("/");
  return top === "src" ? second.replace(/\.ts$/, "") : top ?? "";
}

function groupOf(room: string): number {
  return GROUPS.findIndex((rooms) => rooms.includes(room));
}

/** What `path` may not do, a sentence each. */
function complaintsOf(path: string, named: NamedModule): string[] {
  const at = `${path}:${named.line}: ${named.way} of "${named.specifier}"`;
  const room = roomOf(path);
  if (named.specifier === "(computed)") return [`${at}: a module named at run time cannot be checked, nor bundled`];
  const owner = OWNED[named.specifier];
  if (owner !== undefined) return room === owner ? [] : [`${at}: only ${owner}/ may`];
  if (!named.specifier.startsWith(".")) return [];
  const target = roomOf(normalize(join(path, "..", named.specifier)));
  if (target === room) return [];
  if (groupOf(room) < 0) return [`${path}: the room "${room}" is not in the dependency rule`];
  if (groupOf(target) < 0) return [`${at}: outside src/ and ffi/, or a room the rule does not know`];
  if (groupOf(target) > groupOf(room)) return [];
  return [`${at}: ${room} may not know ${target}`];
}

/** All violations in the files. A unit test may look at any room: nothing is built from it. */
export function checkLayers(files: SourceFiles): string[] {
  const complaints: string[] = [];
  for (const [path, source] of files) {
    if (path.endsWith(".d.ts") || path.endsWith("_test.ts")) continue;
    const named = namedModules(source);
    for (const missed of missedModules(source, named)) complaints.push(`${path}: the check overlooked "${missed}"`);
    for (const module of named) complaints.push(...complaintsOf(path, module));
  }
  return complaints;
}

if (import.meta.main) {
  const top = process.argv[2] ?? join(import.meta.dir, "..");
  const directories = ["src", "ffi"];
  const files = readSourceFiles(top, directories);
  const complaints = [...unread(files, listedByGit(top, directories)), ...checkLayers(files)];
  conclude("check_layers", complaints, `${files.size} files keep the rule`);
}
