/** The flags that stand before the command. */
import { isKernelError } from "../../ffi/errno.ts";
import { pathStatus } from "../kernel/file_status.ts";
import type { Flags, Globals, Values } from "./command.ts";
import { invalidArgument } from "./words/invalid.ts";
import { absolutePath } from "./words/path.ts";

export const GLOBAL_FLAGS = {
  debug: { kind: "boolean", short: "D", help: "Print the stack of an error as well" },
  help: { kind: "boolean", short: "h", help: "Print help" },
  root: {
    kind: "string",
    placeholder: "DIR",
    help: "Directory of what must survive a reboot",
    default: "/var/lib/skdocker",
    completes: "directory",
  },
  "run-root": {
    kind: "string",
    placeholder: "DIR",
    help: "Directory of what is running",
    default: "/run/skdocker",
    completes: "directory",
  },
  version: {
    kind: "boolean",
    short: "v",
    help: "Print the version; before a ROOTFS, -v prints its link and address",
  },
} as const satisfies Flags;

/** A directory that is there, or that a run will make. */
function readRoot(text: string, flag: string): string {
  const word = { flag, text };
  if (text === "") throw invalidArgument("not a directory", word);
  const path = absolutePath(text);
  // overlayfs takes these for separators, and no other escape for them.
  if (flag === "--root" && /[:,\\]/.test(path)) {
    throw invalidArgument(`a data root must have no ":", "," or "\\" in its path`, word);
  }
  try {
    pathStatus(`${path}/.`);
  } catch (error) {
    if (isKernelError(error, "ENOTDIR")) throw invalidArgument("not a directory", word);
    throw error;
  }
  return path;
}

/** The global flags with their defaults, paths made absolute. */
export function readGlobals(values: Values<typeof GLOBAL_FLAGS>): Globals {
  return {
    root: values.root === undefined ? GLOBAL_FLAGS.root.default : readRoot(values.root, "--root"),
    runRoot: values["run-root"] === undefined
      ? GLOBAL_FLAGS["run-root"].default
      : readRoot(values["run-root"], "--run-root"),
    debug: values.debug ?? false,
  };
}
