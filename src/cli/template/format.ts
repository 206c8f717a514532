/** `--format`: a template, or `json`. Where a command prints rows, also `table` and a template. */
import { UserError } from "../../user_error.ts";
import { alignTabs } from "./align.ts";
import { executeTemplate } from "./evaluate.ts";
import { isFunction } from "./functions.ts";
import type { Template } from "./node.ts";
import { parseTemplate } from "./parse.ts";
import { TemplateError } from "./template_error.ts";
import { type Value, valueOf } from "./value.ts";

const ALL = "{{json .}}";

/** Reads a format; what it returns prints one value, as a line. Throws a {@link UserError} for a wrong template. */
export function readFormat(format: string): (data: unknown) => string {
  // docker's exit code where one value is printed.
  const template = parse(format === "json" ? ALL : format, 64);
  return (data) => `${execute(template, valueOf(data))}\n`;
}

/**
 * Reads a format for rows, in which `\t` and `\n` stand for a tab and a line break. A table's first line comes from the
 * same template: it is executed on the headings of the fields.
 */
export function readRowFormat(
  format: string,
  headings: Readonly<Record<string, string>>,
): (rows: readonly unknown[]) => string {
  const isTable = format.startsWith("table");
  const text = (isTable ? format.slice("table".length) : format).replace(/^ +| +$/g, "");
  const template = parse(format === "json" ? ALL : text.replaceAll("\\t", "\t").replaceAll("\\n", "\n"), 1);
  return (rows) => {
    const lines = rows.map((row) => `${execute(template, valueOf(row))}\n`).join("");
    if (!isTable) return lines;
    const first = execute(template, new Map(Object.entries(headings)), { isHeading: true });
    return alignTabs(`${first}\n${lines}`);
  };
}

function parse(text: string, exitCode: number): Template {
  try {
    return parseTemplate(text, isFunction);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new UserError(`template parsing error: ${error.message}`, { exitCode });
  }
}

function execute(template: Template, value: Value, options?: { isHeading: boolean }): string {
  try {
    return executeTemplate(template, value, options);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new UserError(`template execution error ${error.message}`, { exitCode: 1 });
  }
}
