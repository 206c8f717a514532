/** Steps of a container's start that the child does: pure data, printed by `--explain`, assembled by the plan. */
import type { Argument, Call, Item } from "../../ffi/program.ts";
import type { SyscallName } from "../../ffi/syscalls.ts";
import type { StepDescription } from "../steps.ts";

/** What a step is for; `--explain` prints one line of why above each group. */
export type StepGroup =
  | "session"
  | "cgroup"
  | "network"
  | "propagation"
  | "root"
  | "system mounts"
  | "devices"
  | "mounts"
  | "sysctls"
  | "masks"
  | "identity"
  | "stdio"
  | "privileges"
  | "start";

/** One step: the command line a person would type for it, and the system calls that do it. */
export interface ContainerStep {
  readonly group: StepGroup;
  readonly command: string;
  readonly items: readonly Item[];
}

/** What a step says of itself when it fails. */
export function describeContainerStep({ command }: ContainerStep): StepDescription {
  return { operation: "run", subject: command };
}

/** What a call says of itself and where it leads: a {@link Call} without the call. */
export type CallNotes = Omit<Call, "call" | "args">;

/** One system call of a step. */
export function call(name: SyscallName, args: readonly Argument[], notes: CallNotes): Call {
  return { call: name, args, ...notes };
}

/** A word as sh(1) takes it: quoted where the shell would touch it. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_.:=@%+,/-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
