/** What went wrong but does not keep a command from doing what was asked for. */
import { printError } from "./output.ts";
import { describeError } from "./report.ts";

/** Prints the error as the line that it would be at the end of a command, which goes on. */
export function warn(error: Error): void {
  printError(`skdocker: ${describeError(error)}\n`);
}
