/**
 * SKDOCKER_TRACE=mount,syscall: the system calls of this process with what they returned, and those of the programs
 * that run where no JavaScript does (children, foreign namespaces), as they are planned.
 */
import { errnoName } from "../../ffi/errno.ts";
import { observeSyscalls } from "../../ffi/libc.ts";
import { observePrograms } from "../../ffi/native.ts";
import { type Argument, type Call, isCall, type SyscallProgram } from "../../ffi/program.ts";
import type { SyscallName } from "../../ffi/syscalls.ts";
import { trace, type TraceWord, tracing } from "./trace.ts";

/** The calls that make, move, change or take away mounts. */
const MOUNT_CALLS: ReadonlySet<SyscallName> = new Set<SyscallName>([
  "mount",
  "umount2",
  "pivot_root",
  "open_tree",
  "move_mount",
  "mount_setattr",
  "fsopen",
  "fsconfig",
  "fsmount",
]);

/** Begins to trace what SKDOCKER_TRACE asks for of these two words. */
export function traceSyscalls(): void {
  const [mounts, all] = [tracing("mount"), tracing("syscall")];
  if (!mounts && !all) return;
  const wordOf = (name: SyscallName): TraceWord | undefined => {
    if (all) return "syscall";
    return MOUNT_CALLS.has(name) ? "mount" : undefined;
  };
  let telling = false; // writing the trace is a system call itself
  observeSyscalls((name, args, result) => {
    const word = telling ? undefined : wordOf(name);
    if (word === undefined) return;
    telling = true;
    trace(word, `${name}(${args.map(wordText).join(", ")}) = ${resultText(result)}`);
    telling = false;
  });
  observePrograms((program) => traceProgram(program, wordOf));
}

function traceProgram(program: SyscallProgram, wordOf: (name: SyscallName) => TraceWord | undefined): void {
  for (const item of program.items) {
    if (!isCall(item)) continue;
    const word = wordOf(item.call);
    if (word !== undefined) trace(word, `program: ${callText(item)}`);
  }
}

/** `as = openat(-100, "/proc/thread-self/ns/net", 0x80000): open "/proc/thread-self/ns/net"` */
function callText({ call, args, as, operation, subject }: Call): string {
  const name = as === undefined ? "" : `{${as}} = `;
  return `${name}${call}(${args.map(argumentText).join(", ")}): ${operation} "${subject}"`;
}

function argumentText(argument: Argument): string {
  if (typeof argument !== "object") return wordText(argument);
  if ("text" in argument) return JSON.stringify(argument.text);
  if ("bytes" in argument) return `<${argument.bytes.length} bytes>`;
  if ("words" in argument) return `[${argument.words.map(argumentText).join(", ")}]`;
  if ("result" in argument) return `{${argument.result}}`;
  if ("param" in argument) return `{${argument.param}}`;
  return `<${"buffer" in argument ? argument.buffer : argument.end}>`;
}

/** Small numbers as they are, flags and addresses in hexadecimal. */
function wordText(word: number | bigint): string {
  return word < 4096 ? String(word) : `0x${word.toString(16)}`;
}

function resultText(result: number): string {
  return result < 0 ? `-${errnoName(-result) ?? -result}` : wordText(result);
}
