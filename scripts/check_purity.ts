/**
 * Plans are pure: plan.ts, *_plan.ts, *_step.ts and all of explain/ reach, by value imports however long the chain,
 * no module that touches the world, and use no global that does. So a plan can be printed, compared and tested
 * without root, and the explanation cannot drift from the deed.
 *
 * Usage: bun scripts/check_purity.ts [TOP]
 */
import { join, normalize } from "node:path";
import { isTypeOnly, namedModules } from "./imports.ts";
import { conclude, listedByGit, readSourceFiles, type SourceFiles, unread } from "./source_files.ts";

/** Modules from outside that compute and do nothing else. */
const PURE_MODULES = new Set(["node:path", "node:util", "node:assert", "dns-packet"]);

/** Globals that read or change the world, by how they are used. */
const IMPURE_GLOBAL =
  /(?<![\w$.])(process\.(?!arch\b)|Bun\.|fetch\(|setTimeout\(|setInterval\(|performance\.|Date\.now\(|new Date\(\)|Math\.random\(|crypto\.)/g;

/** A file that gives the name to something of its own (an OCI spec has a `process`) does not mean the global. */
const OWN_PROCESS = /\bconst (\{[^}]*\b)?process\b|[(,]\s*process\s*[:,)]/;

export function mustBePure(path: string): boolean {
  if (path.endsWith("_test.ts") || path.endsWith(".d.ts")) return false;
  return /(^|\/)(\w+_)?plan\.ts$|_step\.ts$/.test(path) || path.startsWith("src/explain/");
}

function impureGlobals(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/[^\n]*|"[^"\n]*"|`[^`]*`/g, "");
  const used = [...code.matchAll(IMPURE_GLOBAL)].map(([, name = ""]) => name);
  return OWN_PROCESS.test(code) ? used.filter((name) => name !== "process.") : used;
}

/** The way from `path` to something impure, such as ["a_plan.ts", "b.ts", "node:fs"]; undefined when there is none. */
function wayToImpure(files: SourceFiles, path: string, seen: Set<string>): string[] | undefined {
  if (seen.has(path)) return undefined;
  seen.add(path);
  const source = files.get(path);
  if (source === undefined) return [`${path} (not read)`];
  const [used] = impureGlobals(source);
  if (used !== undefined) return [path, used];
  for (const named of namedModules(source)) {
    if (isTypeOnly(named) || PURE_MODULES.has(named.specifier)) continue;
    if (!named.specifier.startsWith(".")) return [path, named.specifier];
    const way = wayToImpure(files, normalize(join(path, "..", named.specifier)), seen);
    if (way !== undefined) return [path, ...way];
  }
  return undefined;
}

/** A complaint for each file that must be pure and is not, with the way to what it touches. */
export function checkPurity(files: SourceFiles): string[] {
  return [...files.keys()].filter(mustBePure).flatMap((path) => {
    const way = wayToImpure(files, path, new Set());
    return way === undefined ? [] : [`${path} is not pure: ${way.join(" → ")}`];
  });
}

if (import.meta.main) {
  const top = process.argv[2] ?? join(import.meta.dir, "..");
  const directories = ["src", "ffi"];
  const files = readSourceFiles(top, directories);
  const complaints = [...unread(files, listedByGit(top, directories)), ...checkPurity(files)];
  conclude("check_purity", complaints, `${[...files.keys()].filter(mustBePure).length} plans touch nothing`);
}
