/** Every template of tests/golden/templates.txt gives what docker's own client gives. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { executeTemplate } from "./evaluate.ts";
import { isFunction } from "./functions.ts";
import { parseTemplate } from "./parse.ts";
import { TemplateError } from "./template_error.ts";
import type { Value } from "./value.ts";

interface Row {
  readonly template: string;
  readonly data: Value;
  /** `> OUTPUT` or `! ERROR` */
  readonly expected: string;
}

const FILE = new URL("../../../tests/golden/templates.txt", import.meta.url);
const written = (text: string) => text.replaceAll("␤", "\n").replaceAll("␉", "\t").replace(/␠$/, " ");

function readRows(): Row[] {
  const rows: Row[] = [];
  let data: Value;
  let template: string | undefined;
  for (const line of readFileSync(FILE, "utf8").split("\n")) {
    const [mark, rest] = [line.slice(0, 2), line.slice(2)];
    if (mark === "< ") data = mapsOf(JSON.parse(rest));
    else if (mark === "$ ") template = written(rest);
    else if (template !== undefined) {
      rows.push({ template, data, expected: mark + (mark === "> " ? written(rest) : rest) });
      template = undefined;
    }
  }
  return rows;
}

/** JSON as Go decodes it: objects become maps, numbers float64. */
function mapsOf(data: unknown): Value {
  if (Array.isArray(data)) return data.map(mapsOf);
  if (typeof data !== "object" || data === null) return data as Value;
  return new Map(Object.entries(data).map(([key, value]) => [key, mapsOf(value)]));
}

function run({ template, data }: Row): string {
  try {
    return `> ${executeTemplate(parseTemplate(template, isFunction), data)}`;
  } catch (error) {
    if (error instanceof TemplateError) return `! ${error.message}`;
    throw error;
  }
}

/** Go names the type of the place that a value was found in; the value's own says more. */
const withoutType = (said: string) => said.replace(/^(! .* in type ).*$/, "$1");

for (const row of readRows()) {
  test(row.template, () => expect(withoutType(run(row))).toBe(withoutType(row.expected)));
}
