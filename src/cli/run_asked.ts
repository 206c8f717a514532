/** From the words of `run`, or of the lecture's form, to the container's exit code. */
import { isKernelError } from "../../ffi/errno.ts";
import { pathStatus } from "../kernel/file_status.ts";
import { UserError } from "../user_error.ts";
import type { Globals } from "./command.ts";
import { requestFromFlags, type RunValues } from "./run_request.ts";
import type { RunRequest } from "../container/request.ts";
import type { StartOptions } from "../container/start_options.ts";
import { pathsOf } from "../store/paths.ts";
import { printError } from "./output.ts";
import { stepListeners } from "./step_listeners.ts";
import { isTerminal } from "./terminal.ts";
import { warn } from "./warn.ts";

/**
 * Whether a directory of that name is in the current one. What cannot be looked at (a file, too long a name) is none.
 * @public Required when it is asked for (command_line.ts), which the check for unused exports does not see.
 */
export function isDirectory(name: string): boolean {
  try {
    return name !== "" && pathStatus(`${name}/.`)?.type === "directory";
  } catch (error) {
    if (isKernelError(error)) return false;
    throw error;
  }
}

/** `skdocker run …`; returns the exit code. */
export function runAsked(
  values: RunValues,
  positionals: readonly string[],
  { globals }: { globals: Globals },
): number | Promise<number> {
  const request = requestFromFlags(values, positionals, { environment: () => process.env, isDirectory });
  if (request.tty && request.interactive && !isTerminal(0)) {
    throw new UserError("the input device is not a TTY", { exitCode: 1 });
  }
  return start(request, globals);
}

/**
 * `skdocker [-v] ROOTFS COMMAND…` as in the lecture: `run --rm -i`, with `-t` where a person sits at both ends.
 * @public As {@link isDirectory}.
 */
export function runLecture(
  words: readonly string[],
  options: { verbose: boolean; globals: Globals },
): number | Promise<number> {
  const tty = isTerminal(0) && isTerminal(1);
  const values = { rm: true, interactive: true, tty };
  const request = requestFromFlags(values, words, { environment: () => process.env, isDirectory });
  return start({ ...request, lectureVerbose: options.verbose }, options.globals);
}

async function start(request: RunRequest, globals: Globals): Promise<number> {
  const { runContainer } = await import("../container/start.ts");
  const listen = await stepListeners({ explain: request.explain !== "no" });
  const options: StartOptions = {
    paths: pathsOf(globals),
    listeners: (container) => listen({ explain: true, dryRun: request.explain === "dry-run", container }),
    notify: (sentence) => printError(`skdocker: ${sentence}\n`),
    warn,
  };
  if (request.explain !== "dry-run") return await runContainer(request, options);
  const { dryRun } = await import("../container/dry_run.ts");
  return await dryRun(request, options);
}
