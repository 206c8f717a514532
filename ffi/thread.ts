/**
 * A thread of this process that runs a system call program and no JavaScript: for calls in which the process must
 * not be held up.
 *
 *   caller                                        thread
 *   block every signal
 *   clone ──────────────────────────────────────▶ its items, on a stack of its own
 *   restore the mask                              closes what it was given, and ends alone
 *
 * Neither the engine nor libc knows of it. It shares descriptors and memory with all the others, and ends with the
 * process at the latest. Its memory is never given back, since nobody waits for its end.
 */
import { maskCall, SIGSET_BYTES } from "./child_program.ts";
import { KernelError } from "./errno.ts";
import { NativeProgram } from "./native.ts";
import type { Item, SyscallProgram } from "./program.ts";

/** include/uapi/linux/sched.h: CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM: what makes a thread. */
const CLONE_AS_THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000;
const STACK_BYTES = 4096;
const ALL_SIGNALS = { bytes: new Uint8Array(SIGSET_BYTES).fill(0xff) };

/** The label by which a thread's items end it; a call that fails goes there by itself. */
export const THREAD_END = "thread: end";

/**
 * Starts a thread. `closes`: descriptors that are the thread's from here on, closed at its end, in this order. Throws
 * the KernelError of a clone(2) that was refused; then they are still the caller's.
 */
export function startThread({ items, buffers }: SyscallProgram, { closes }: { closes: readonly number[] }): void {
  const native = new NativeProgram({
    items: [
      maskCall(ALL_SIGNALS, { operation: "block", old: { buffer: "thread: mask" } }),
      {
        call: "clone",
        args: [CLONE_AS_THREAD, { end: "thread: stack" }, 0, 0, 0],
        as: "thread: id",
        operation: "start",
        subject: "a thread",
        whenZero: "thread: start",
        onError: "thread: restore",
      },
      { label: "thread: restore" },
      maskCall({ buffer: "thread: mask" }, { operation: "restore" }),
      { finish: true },
      { label: "thread: start" },
      { onFailure: { goto: THREAD_END } },
      ...items,
      { label: THREAD_END },
      ...closes.flatMap(closing),
      // Not exit_group: that would be the end of the process.
      { call: "exit", args: [0], operation: "end", subject: "a thread" },
    ],
    buffers: { ...buffers, "thread: mask": SIGSET_BYTES, "thread: stack": STACK_BYTES },
  });
  native.run();
  const id = native.result("thread: id");
  if (id > 0) return;
  native[Symbol.dispose]();
  throw new KernelError({ operation: "start", subject: "a thread", errno: -id });
}

/** Whatever close(2) says, the descriptor is gone, and the next one must be closed, too. */
function closing(fd: number): Item[] {
  const label = `thread: closed ${fd}`;
  return [
    { call: "close", args: [fd], operation: "close", subject: `descriptor ${fd}`, onError: label },
    { label },
  ];
}
