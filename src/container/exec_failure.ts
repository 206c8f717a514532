/** Why a child has not become the command, in words and as an exit code. */
import { errnoNumber, errnoText } from "../../ffi/errno.ts";
import { failureError, type Outcome, type ProgramFailure } from "../../ffi/native.ts";
import { UserError } from "../user_error.ts";
import { executablePaths } from "./environment.ts";
import type { SpecProcess } from "./spec.ts";
import { attemptNames } from "./start_plan.ts";

/** Exit codes of env(1), the shells and docker. */
const CANNOT_EXECUTE = 126;
const NOT_FOUND = 127;

/**
 * The error for a child's failure: the step's own, or what all attempts to execute the command together say. As in
 * execvp(3), a file that may not be executed counts for more than one that isn't there. Its `exitCode` is 126 or 127.
 */
export function childError(
  failure: ProgramFailure,
  from: { outcome: Outcome; process: Pick<SpecProcess, "args" | "env" | "cwd"> },
): Error {
  const { args, env, cwd } = from.process;
  if (failure.call.as === "enter") {
    const exitCode = failure.result === -errnoNumber("EACCES") ? CANNOT_EXECUTE : 125;
    return new UserError(`Cannot change the working directory to "${cwd}": ${errnoText(-failure.result)}`, {
      exitCode,
    });
  }
  if (failure.call.operation !== "execute") return stepError(failure);
  const command = args[0] as string; // a request's command is never empty
  const results = executablePaths(command, env).map((_path, index) => {
    const { find, execute } = attemptNames(index);
    const found = from.outcome.result(find);
    return found < 0 ? found : from.outcome.result(execute);
  });
  const denied = -errnoNumber("EACCES");
  const result = results.includes(denied) ? denied : failure.result;
  const missing = result === -errnoNumber("ENOENT") || result === -errnoNumber("ENOTDIR");
  if (!missing) {
    return new UserError(`Cannot execute "${command}": ${errnoText(-result)}`, { exitCode: CANNOT_EXECUTE });
  }
  return commandNotFound(command);
}

/** The error for a command that is nowhere; its `exitCode` is 127. */
export function commandNotFound(command: string): UserError {
  const why = command.includes("/")
    ? "there is no such file, or its interpreter is missing"
    : "it is not found in PATH";
  return new UserError(`Cannot execute "${command}": ${why}`, { exitCode: NOT_FOUND });
}

/** The failure of a step before the command. move_mount(2) has one errno for what is worth a sentence. */
function stepError(failure: ProgramFailure): Error {
  const error = failureError(failure);
  const { call, operation, subject } = failure.call;
  if (call !== "move_mount" || failure.result !== -errnoNumber("EINVAL")) return error;
  return new UserError(`Cannot ${operation} "${subject}": one is a directory, the other is not`, { cause: error });
}
