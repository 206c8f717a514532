/** `--env` and `--env-file`: the variables a container gets on top of its defaults. */
import { UserError } from "../../user_error.ts";
import { invalidArgument } from "./invalid.ts";

/** skdocker's own environment, from which `-e NAME` takes a value. */
export type CallerEnvironment = Readonly<Record<string, string | undefined>>;

/** Variables by name; null for one that the container is not to have, though it is a default. */
export type Variables = Map<string, string | null>;

/** Adds `NAME=value`, or the caller's value for `NAME`; a name the caller doesn't have is taken away, as in docker. */
export function addVariable(environment: Variables, text: string, caller: CallerEnvironment): void {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name === "") throw invalidArgument("a variable needs a name", { flag: "--env", text });
  // A file may hold one; to the kernel it would end the variable there.
  if (text.includes("\0")) throw invalidArgument("it contains a NUL character", { flag: "--env", text });
  environment.set(name, equals < 0 ? caller[name] ?? null : text.slice(equals + 1));
}

/** Adds the variables of a file. Throws a {@link UserError} for a file or a line that cannot be read. */
export function addVariablesOf(environment: Variables, path: string, caller: CallerEnvironment): void {
  let bytes: Uint8Array;
  try {
    bytes = process.getBuiltinModule("node:fs").readFileSync(path);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
    throw new UserError(`cannot read the environment file "${path}": ${code}`);
  }
  addVariableLines(environment, { bytes, path, caller });
}

/**
 * docker's syntax: a variable a line, leading blanks and lines that begin with `#` passed over, `NAME` alone
 * takes the caller's value, if there is one; nothing is unquoted and nothing expanded.
 */
export function addVariableLines(
  environment: Variables,
  file: { bytes: Uint8Array; path: string; caller: CallerEnvironment },
): void {
  let text: string;
  try {
    // A byte order mark at the start is dropped by the decoder.
    text = new TextDecoder("utf-8", { fatal: true }).decode(file.bytes);
  } catch {
    throw new UserError(`the environment file "${file.path}" is not UTF-8`);
  }
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const line = (lines[i] ?? "").replace(/\r$/, "").trimStart();
    if (line === "" || line.startsWith("#")) continue;
    const equals = line.indexOf("=");
    const name = equals < 0 ? line : line.slice(0, equals);
    const wrong = name === "" ? "a variable without a name" : /\s/.test(name) ? `the name "${name}" with a blank` : "";
    if (wrong !== "") throw new UserError(`the environment file "${file.path}" has ${wrong} in line ${i + 1}`);
    if (equals >= 0 || file.caller[name] !== undefined) addVariable(environment, line, file.caller);
  }
}
