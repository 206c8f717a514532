/** argv → command → exit code. The only place that ends the process, and the only one that prints an error. */
import { runCommandLine } from "./cli/command_line.ts";
import { printError } from "./cli/output.ts";
import { describeError, exitCodeOf, stackOf } from "./cli/report.ts";

/** Bun's own switches are for who started skdocker, never for what skdocker starts. */
function clearBunVariables(): void {
  for (const name in process.env) if (name.startsWith("BUN_")) delete process.env[name];
}

async function main(words: readonly string[]): Promise<number> {
  clearBunVariables();
  const telling = { debug: false };
  try {
    return await runCommandLine(words, telling);
  } catch (error) {
    // A reader that has seen enough (`skdocker help | head -1`) is no error; 141 is what SIGPIPE would have left.
    if (error instanceof Error && "code" in error && error.code === "EPIPE") return 141;
    printError(`skdocker: ${describeError(error)}\n`);
    if (telling.debug) printError(`${stackOf(error)}\n`);
    return exitCodeOf(error);
  }
}

// Nothing is awaited after this: what is still open belongs to nobody.
process.exit(await main(process.argv.slice(2)));
