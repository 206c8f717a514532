/**
 * The parent's part around a child's items, as one program: signals blocked, clone, the mask restored. Pure.
 *
 * It is one native call: a handler of the engine must never run in the child, and no engine code may run between
 * blocking and cloning.
 */
import type { Argument, Call, SyscallProgram } from "./program.ts";

// include/uapi/linux/sched.h
const CLONE_VM = 0x100;
const CLONE_PIDFD = 0x1000;
const CLONE_INTO_CGROUP = 0x200000000; // clone3(2) alone

// include/uapi/asm-generic/signal.h; the kernel's sigset_t has 64 bits.
const SIG_SETMASK = 2;
const SIGCHLD = 17;
export const SIGSET_BYTES = 8;
const ALL_SIGNALS = { bytes: new Uint8Array(SIGSET_BYTES).fill(0xff) };
export const NO_SIGNALS = { bytes: new Uint8Array(SIGSET_BYTES) };

/** How a child is cloned. */
export interface CloneOptions {
  /** CLONE_NEW*: the namespaces made for the child. */
  readonly flags: number;
  /**
   * Shares the parent's memory until execve (CLONE_VM), which saves copying its page tables. Only for the first
   * process of a new PID namespace: any other is seen by its neighbours, and who can write its /proc/N/mem
   * writes the parent's memory.
   */
  readonly shareMemory: boolean;
  /** Bytes; the machine code itself uses none. */
  readonly stackSize?: number;
  /**
   * The directory of a version 2 control group, open, to be born in (Linux 5.7): joining later by a write to
   * cgroup.procs costs 0.1 ms, because it waits for every fork on the machine.
   */
  readonly cgroup?: number;
}

/** Sets this thread's signal mask. */
export function maskCall(mask: Argument, { operation, old = 0 }: { operation: string; old?: Argument }): Call {
  return { call: "rt_sigprocmask", args: [SIG_SETMASK, mask, old, SIGSET_BYTES], operation, subject: "all signals" };
}

/** The call that makes the child: clone(2), or clone3(2) where a control group is given. */
function cloneCall({ flags, shareMemory, stackSize = 4096, cgroup }: CloneOptions): Pick<Call, "call" | "args"> {
  const all = flags + CLONE_PIDFD + (shareMemory ? CLONE_VM : 0);
  const pidfd = { buffer: "clone: pidfd" };
  if (cgroup === undefined) {
    // On both machines: flags, stack, parent_tid (where CLONE_PIDFD writes), then two that are not used.
    return { call: "clone", args: [all + SIGCHLD, shareMemory ? { end: "clone: stack" } : 0, pidfd, 0, 0] };
  }
  // struct clone_args, include/uapi/linux/sched.h: flags, pidfd, child_tid, parent_tid, exit_signal, stack (its
  // lowest byte), stack_size, tls, set_tid, set_tid_size, cgroup.
  const stack = shareMemory ? [{ buffer: "clone: stack" }, stackSize] : [0, 0];
  const words = [all + CLONE_INTO_CGROUP, pidfd, 0, 0, SIGCHLD, ...stack, 0, 0, 0, cgroup];
  return { call: "clone3", args: [{ words }, words.length * 8] };
}

/** The parent's part around the child's items; the parent's part has no failure but clone's. */
export function surroundChild(child: SyscallProgram, options: CloneOptions): SyscallProgram {
  return {
    items: [
      maskCall(ALL_SIGNALS, { operation: "block", old: { buffer: "clone: mask" } }),
      {
        ...cloneCall(options),
        as: "clone: pid",
        operation: "clone",
        subject: "a child process",
        whenZero: "clone: child",
        onError: "clone: restore",
      },
      { label: "clone: restore" },
      maskCall({ buffer: "clone: mask" }, { operation: "restore" }),
      { finish: true },
      { label: "clone: child" },
      { onFailure: "exit" },
      ...child.items,
      // Not reached by a right program: a return from here would go to the parent's caller on another stack.
      { call: "exit_group", args: [125], operation: "end", subject: "the child" },
    ],
    buffers: {
      ...child.buffers,
      "clone: mask": SIGSET_BYTES,
      "clone: pidfd": 4,
      "clone: stack": options.shareMemory ? (options.stackSize ?? 4096) : 0,
    },
  };
}
