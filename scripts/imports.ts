/**
 * Which modules a TypeScript file names, in whatever way: the ground that check_layers and check_purity stand on.
 * TypeScript 7 has no API in JavaScript and Bun's own scan leaves type imports out, so the text is read here; Bun's
 * scan then serves as the second opinion: what it sees and this has missed is an error.
 */

/** How a module is named: only the type ways vanish from the built program. */
export type ImportWay = "import" | "import type" | "export" | "export type" | "dynamic" | "require" | "type query";

export interface NamedModule {
  readonly specifier: string;
  readonly way: ImportWay;
  /** 1-based. */
  readonly line: number;
}

/** True where nothing of the module is there at run time. */
export function isTypeOnly(named: NamedModule): boolean {
  return named.way === "import type" || named.way === "export type" || named.way === "type query";
}

const STATEMENT =
  /\b(import|export)\s+(type\s+)?((?:[\w$*\s,]|\{[^}]*\})*?)\s*\bfrom\s*(["'])([^"']+)\4|\bimport\s*(["'])([^"']+)\6/g;
const CALL = /(\btypeof\s+|[:<|&=(]\s*|\bas\s+)?\b(import|require)\s*\(\s*(?:(["'`])([^"'`$]+)\3)?/g;

/** All modules that `source` names. A specifier that is not a literal is reported as "(computed)". */
export function namedModules(source: string): NamedModule[] {
  const text = withoutComments(source);
  const out: NamedModule[] = [];
  const lineOf = (at: number) => text.slice(0, at).split("\n").length;
  for (const found of text.matchAll(STATEMENT)) {
    const [, keyword, type, names, , specifier, , bare] = found;
    const typeOnly = type !== undefined || (names !== undefined && onlyInlineTypes(names));
    out.push({
      specifier: specifier ?? bare ?? "",
      way: keyword === "export" ? (typeOnly ? "export type" : "export") : (typeOnly ? "import type" : "import"),
      line: lineOf(found.index),
    });
  }
  for (const found of text.matchAll(CALL)) {
    const [whole, before, keyword, , specifier] = found;
    const at = found.index + whole.indexOf(keyword ?? "");
    if (text[at - 1] === "." || text.slice(0, at).endsWith("function ")) continue;
    const after = text.slice(found.index + whole.length).match(/^\s*\)\s*\.\s*[A-Z]/);
    // `import("./x.ts").Name` in a type position; `(await import("./x.ts")).verb` is a call.
    const query = keyword === "import" && before !== undefined && after !== null;
    out.push({
      specifier: specifier ?? "(computed)",
      way: query ? "type query" : keyword === "require" ? "require" : "dynamic",
      line: lineOf(at),
    });
  }
  return out;
}

/** `{ type A, type B }` alone: under verbatimModuleSyntax the import stays as a side effect, but brings no value. */
function onlyInlineTypes(names: string): boolean {
  const inner = /^\s*\{([^}]*)\}\s*$/.exec(names)?.[1];
  if (inner === undefined || inner.trim() === "") return false;
  return inner.split(",").filter((name) => name.trim() !== "").every((name) => /^\s*type\s/.test(name));
}

/** The modules that Bun's own parser sees in `source` and `named` has not: empty, or the scan above is wrong. */
export function missedModules(source: string, named: readonly NamedModule[]): string[] {
  const known = new Set(named.map((module) => module.specifier));
  const seen = new Bun.Transpiler({ loader: "ts" }).scanImports(source);
  return seen.map((module) => module.path).filter((path) => !known.has(path));
}

/** The text with comments blanked and line numbers kept; what looks like a comment inside a string or regex stays. */
function withoutComments(source: string): string {
  const TOKEN =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`|(?<=[(,=:[!&|?{};+\-*%~^<>]\s*|\breturn\s+|^\s*)\/(?![/*])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/gm;
  return source.replace(TOKEN, (token: string, offset: number) => {
    if (token.startsWith("//") || token.startsWith("/*")) return token.replace(/[^\n]/g, " ");
    // Words inside a string are no statements, unless the string is what an import names.
    const named = /(\bfrom|\bimport|\b(import|require)\s*\()\s*$/.test(source.slice(Math.max(0, offset - 40), offset));
    return named ? token : token.replace(/(?<=.)[^\n](?=.)/g, "_");
  });
}
