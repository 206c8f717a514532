/**
 * SyscallProgram: a sequence of system calls as plain data, with every argument already known.
 *
 * It exists because no JavaScript can run in two places: in a child between clone and execve (the engine's
 * other threads are not there), and in a foreign namespace (the engine would start threads that stay in it).
 * A program is planned as data, printed by `--explain`, assembled to machine code (assemble_x64.ts,
 * assemble_arm64.ts) and run by native.ts.
 */
import type { ErrnoName } from "./errno.ts";
import type { SyscallName } from "./syscalls.ts";

/** One 64-bit argument of a system call. */
export type Argument =
  | number
  | bigint
  /** The address of this text as a C string. */
  | { readonly text: string }
  /** The address of these bytes. */
  | { readonly bytes: Uint8Array }
  /** The address of an array of 64-bit words: argv and envp, a sock_fprog, a clone_args. */
  | { readonly words: readonly Argument[] }
  /** What the earlier call named so returned: a descriptor, a pid. */
  | { readonly result: string }
  /** The address of scratch memory declared by {@link SyscallProgram.buffers}. */
  | { readonly buffer: string }
  /** The address just past that memory: the top of a stack. */
  | { readonly end: string }
  /** A word that is told only when the program is about to run: for programs that were assembled long before. */
  | { readonly param: string };

/** A system call and what its outcome leads to. Without any of the options an error is a failure. */
export interface Call {
  readonly call: SyscallName;
  readonly args: readonly Argument[];
  /** A name by which later calls refer to the result. */
  readonly as?: string;
  /** For the error: a verb phrase and what it is done to. */
  readonly operation: string;
  readonly subject: string;
  /** Errnos after which the program goes on with the next item. */
  readonly tolerate?: readonly ErrnoName[];
  /** The only result that is not a failure. */
  readonly expect?: number;
  /** Labels: where to go on zero (which is then not stored as a result), on an untolerated error, on any other result. */
  readonly whenZero?: string;
  readonly onError?: string;
  readonly onSuccess?: string;
}

/** What a failing call does, from here on, once its index and errno are in the status words. */
export type FailureMode =
  /** The child ends (exit status 125; the parent reads the status words). */
  | "exit"
  /** The program returns to its caller. */
  | "return"
  /** The process ends at once (status 125): for what must not be left half-done, such as the way back to a namespace. */
  | "abort"
  /** Goes to a label, to undo. */
  | { readonly goto: string }
  /** As "exit", after writing status words and results to this descriptor: for a process without shared memory. */
  | { readonly report: number };

/** One item of a program. */
export type Item =
  | Call
  | { readonly label: string }
  | { readonly jump: string }
  | { readonly onFailure: FailureMode }
  /** Back to the caller. */
  | { readonly finish: true };

/** A program: data only, so that it can be tested, printed and counted without being run. */
export interface SyscallProgram {
  readonly items: readonly Item[];
  /** Zeroed memory the calls write to, by name: size in bytes. */
  readonly buffers?: Readonly<Record<string, number>>;
}

/** Whether an item makes a system call. */
export function isCall(item: Item): item is Call {
  return (item as Partial<Call>).call !== undefined;
}
