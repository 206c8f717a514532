/** Errors as people read them. */
import { UserError } from "../user_error.ts";
import { missingFeature } from "./missing.ts";

/** How far a chain of causes is followed; a longer one is a circle. */
const LONGEST_CHAIN = 16;

/**
 * The error and its causes on one line, `message: cause: cause`, without what a message says already. A UserError's
 * sentence is whole: what the kernel said to it is for `--debug`. What failed while the first failure was being undone
 * follows it.
 */
export function describeError(error: unknown): string {
  const said: string[] = [];
  for (const link of causesOf(error)) {
    const text = messageOf(link);
    if (text !== "" && !said.some((earlier) => earlier.includes(text))) said.push(text);
    if (link instanceof UserError) break;
    const missing = missingFeature(link);
    if (missing !== undefined) said.push(missing);
  }
  return said.join(": ") || "an error without a message";
}

/** The exit code of the outermost error that names one; 125 where none does. */
export function exitCodeOf(error: unknown): number {
  for (const link of causesOf(error)) if (link instanceof UserError) return link.exitCode;
  return 125;
}

/** Stacks of the error and of all its causes, for `--debug`. */
export function stackOf(error: unknown): string {
  return causesOf(error).map((link) => link instanceof Error ? link.stack ?? String(link) : String(link)).join(
    "\ncaused by ",
  );
}

/** The chain of causes; where undoing failed, too, what was to be undone counts. */
function causesOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let link = error; link !== undefined && link !== null && chain.length < LONGEST_CHAIN;) {
    chain.push(link);
    link = link instanceof SuppressedError ? link.suppressed : link instanceof Error ? link.cause : undefined;
  }
  return chain;
}

function messageOf(error: unknown): string {
  // Of "using" and DisposableStack: what an undo threw while another error was on its way.
  if (error instanceof SuppressedError) {
    return `${describeError(error.suppressed)}; then, while clearing up: ${describeError(error.error)}`;
  }
  if (error instanceof AggregateError) {
    return [error.message, error.errors.map(describeError).join("; ")].filter((text) => text !== "").join(": ");
  }
  return printable((error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, " ").trim());
}

/** Names in a root file system are somebody else's: what a terminal would obey is written as `\x1b`. */
function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
