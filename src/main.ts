/** argv → command → exit code. The only place that ends the process, and the only one that prints an error. */
import { isKernelError } from "../ffi/errno.ts";
import { syscall } from "../ffi/libc.ts";
import { runCommandLine } from "./cli/command_line.ts";
import { printError } from "./cli/output.ts";
import { describeError, exitCodeOf, stackOf } from "./cli/report.ts";

const telling = { debug: false };

/** Prints the error; returns the exit code. */
function report(error: unknown): number {
  // A reader that has seen enough (`skdocker help | head -1`) is no error; 141 is what SIGPIPE would have left.
  if (isKernelError(error, "EPIPE") && error.subject === "standard output") return 141;
  printError(`skdocker: ${describeError(error)}\n`);
  if (telling.debug) printError(`${stackOf(error)}\n`);
  return exitCodeOf(error);
}

function main(words: readonly string[]): number | Promise<number> {
  try {
    const result = runCommandLine(words, telling);
    return typeof result === "number" ? result : result.catch(report);
  } catch (error) {
    return report(error);
  }
}

/** As {@link main}, with the system calls told of from the first one on. */
async function traced(words: readonly string[]): Promise<number> {
  const { traceSyscalls } = await import("./kernel/syscall_trace.ts");
  try {
    traceSyscalls();
  } catch (error) {
    return report(error);
  }
  return await main(words);
}

/** Ends the process at once: the engine's own way out takes a millisecond to tidy up what nobody needs any more. */
function exit(code: number): never {
  syscall("exit_group", code);
  process.exit(code); // not reached
}

// Exits at once: what is still open belongs to nobody. There is no top-level `await`, so that a command
// that needs no event loop never enters one.
const words = process.argv.slice(2);
const code = typeof SKDOCKER_FAULTS !== "undefined" && SKDOCKER_FAULTS
  ? import("./cli/faults.ts").then(({ theFaults }) => theFaults().install()).then(() => main(words))
  : process.env["SKDOCKER_TRACE"]
  ? traced(words)
  : main(words);
if (typeof code === "number") exit(code);
else void code.then(exit);
