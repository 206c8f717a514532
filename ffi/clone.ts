/**
 * A child of clone(2) that runs a system call program until it executes something else.
 *
 *   parent                                       child
 *   block every signal
 *   clone ────────────────────────────────────▶  its items, on a stack of its own
 *   restore the mask                             …
 *   close its end of the status pipe             last: dispositions and mask as new, execve
 *   read the status pipe: end of file ◀────────  the close-on-exec end closes: executed, or dead
 *   look at the status words
 *
 * All of the parent's left column but the pipe is one native call: a signal handler of the engine must never
 * run in the child, and no engine code may run between blocking and cloning. The program's memory is mapped
 * MAP_SHARED, so the child writes its failure where the parent reads it, whether it shares memory or not.
 */
import { KernelError } from "./errno.ts";
import { addressOf, check, syscall } from "./libc.ts";
import { NativeProgram, type ProgramFailure } from "./native.ts";
import type { Item, SyscallProgram } from "./program.ts";
import { errnoNumber } from "./errno.ts";

// include/uapi/linux/sched.h
const CLONE_VM = 0x100;
const CLONE_PIDFD = 0x1000;
const CLONE_NEWPID = 0x20000000;
/** Flags under which a child would share what it must not, or that spawnChild decides itself. */
const REFUSED_FLAGS = 0xff | CLONE_VM | CLONE_PIDFD | 0x200 | 0x400 | 0x800 | 0x4000 | 0x8000 | 0x10000;

const SIGCHLD = 17;
const SIG_SETMASK = 2;
/** The kernel's sigset_t, and the mask of everything. */
const SIGSET_BYTES = 8;
const ALL_SIGNALS = new Uint8Array(SIGSET_BYTES).fill(0xff);

const PR_SET_DUMPABLE = 4;
const O_CLOEXEC = 0o2000000;

/** What {@link spawnChild} is asked for. */
export interface ChildOptions {
  /** What the child does. It must end in execve or exit, and end by itself on every failure (`onFailure` is "exit"). */
  readonly program: SyscallProgram;
  /** CLONE_NEW*: the namespaces made for the child. */
  readonly flags: number;
  /**
   * Shares the parent's memory until execve (CLONE_VM), which saves copying its page tables. Only for the first
   * process of a new PID namespace: others can see it, and who can write its /proc/N/mem writes the parent's.
   */
  readonly shareMemory: boolean;
  /** Bytes; the machine code itself needs none. */
  readonly stackSize?: number;
}

let undumpable = false;

/**
 * Makes this process not dumpable, once: nobody without CAP_SYS_PTRACE in its user namespace may open its
 * /proc/N/exe, mem or fd, and the child inherits that until execve (CVE-2019-5736).
 */
function forbidDumping(): void {
  if (undumpable) return;
  check(syscall("prctl", PR_SET_DUMPABLE, 0), { operation: "forbid dumping of", subject: "this process" });
  undumpable = true;
}

function surround({ items, buffers }: SyscallProgram, options: ChildOptions): SyscallProgram {
  const { flags, shareMemory, stackSize = 4096 } = options;
  const mask = (from: Item & object, operation: string) => ({ ...from, operation, subject: "all signals" });
  const saved = { buffer: "clone: saved mask" };
  const pidfd = { buffer: "clone: pidfd" };
  const cloneFlags = flags + CLONE_PIDFD + (shareMemory ? CLONE_VM : 0) + SIGCHLD;
  const restore = { call: "rt_sigprocmask", args: [SIG_SETMASK, saved, 0, SIGSET_BYTES] } as const;
  return {
    items: [
      mask(
        { call: "rt_sigprocmask", args: [SIG_SETMASK, { bytes: ALL_SIGNALS }, saved, SIGSET_BYTES] } as never,
        "block",
      ),
      { onFailure: { goto: "clone: restore" } },
      {
        call: "clone",
        // Both machines: flags, stack, parent_tid (where CLONE_PIDFD writes), then two that are not used.
        args: [cloneFlags, shareMemory ? { end: "clone: stack" } : 0, pidfd, 0, 0],
        as: "clone: pid",
        operation: "clone",
        subject: "a child process",
        whenZero: "clone: child",
      },
      { label: "clone: restore" },
      { onFailure: "return" },
      mask(restore as never, "unblock"),
      { finish: true },
      { label: "clone: child" },
      { onFailure: "exit" },
      ...items,
      // Never reached by a right program; a return would go to the parent's caller with another stack.
      { call: "exit_group", args: [125], operation: "end", subject: "the child" },
    ],
    buffers: {
      ...buffers,
      "clone: saved mask": SIGSET_BYTES,
      "clone: pidfd": 4,
      ...(shareMemory ? { "clone: stack": stackSize } : {}),
    },
  };
}
