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
 * The first three lines are one native call: a handler of the engine must never run in the child, and no engine
 * code may run between blocking and cloning. The program's memory is mapped MAP_SHARED, so the child writes its
 * failure where the parent reads it, whether it shares memory or not.
 */
import { type CloneOptions, maskCall, NO_SIGNALS, SIGSET_BYTES, surroundChild } from "./child_program.ts";
import { KernelError } from "./errno.ts";
import { addressOf, check, syscall } from "./libc.ts";
import type { Executable } from "./executable.ts";
import { failureError, NativeProgram, type Outcome, type ProgramFailure } from "./native.ts";
import type { Item, SyscallProgram } from "./program.ts";

// include/uapi/linux/sched.h
const CLONE_NEWPID = 0x20000000;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: all that a caller may ask for. */
const CLONE_NEW = 0x7e020000;

// include/uapi/asm-generic/signal.h: struct sigaction has four words.
const DEFAULT_ACTION = { bytes: new Uint8Array(32) };

const PR_SET_DUMPABLE = 4; // include/uapi/linux/prctl.h
const O_CLOEXEC = 0o2000000;
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const F_SETFD = 2; // include/uapi/asm-generic/fcntl.h
const EINTR = 4;

/**
 * A program that must know the status pipe's writing end, close-on-exec, by which the parent learns of execve: one
 * that closes all other descriptors before it gets there; and, where there is one, the file of its last steps.
 */
export type ChildProgram = (status: number, last: number | undefined) => SyscallProgram;

/** What {@link spawnChild} is asked for. */
export interface ChildOptions extends CloneOptions {
  /** What the child does; it ends in execve or exit_group. Any failure ends the child, unless its items say otherwise. */
  readonly program: SyscallProgram | ChildProgram;
  /**
   * Its last steps, done after it has become an executable of its own (executable.ts): for a child that executes a
   * file it has no reason to trust. Then `program` ends before them.
   */
  readonly last?: (status: number) => Executable;
}

/** A child that was started. Its memory is given back by `using`, which first waits until the child is done with it. */
export class Child implements Disposable {
  readonly pid: number;
  /** Close-on-exec; the caller closes it. */
  readonly pidfd: number;
  readonly #program: NativeProgram;
  readonly #last: Executable | undefined;
  #outcome: Outcome;
  #status: number;

  constructor(program: NativeProgram, { status, last }: { status: number; last: Executable | undefined }) {
    this.#outcome = this.#program = program;
    this.#last = last;
    this.pid = program.result("clone: pid");
    this.pidfd = new DataView(program.buffer("clone: pidfd").slice().buffer).getInt32(0, true);
    this.#status = status;
  }

  /** What the child's calls gave, those of its last steps if it got there. Complete after {@link awaitExec}. */
  get outcome(): Outcome {
    return this.#outcome;
  }

  /** The reading end of the status pipe: at end of file when the child has executed something, or is dead. */
  get statusDescriptor(): number {
    return this.#status;
  }

  /**
   * Waits until the child has executed something or died. Returns what failed, if a call of its program did;
   * a child that was killed before execve has no failure, and is reaped like any other.
   */
  awaitExec(): ProgramFailure | undefined {
    if (this.#status >= 0) {
      const report = readToEnd(this.#status, this.#last ? PIPE_BYTES : 1);
      if (report.length > 0 && this.#last) this.#outcome = this.#last.outcome(report);
      syscall("close", this.#status);
      this.#status = -1;
    }
    return this.#outcome.failure();
  }

  [Symbol.dispose](): void {
    this.awaitExec(); // the child runs in this memory until then
    this.#program[Symbol.dispose]();
  }
}

/** As much as a pipe holds. */
const PIPE_BYTES = 65536;

/** Waits for the end of the status pipe: nothing, unless the child's last steps have failed and report it. */
function readToEnd(fd: number, limit: number): Uint8Array {
  const bytes = new Uint8Array(limit);
  for (let length = 0;;) {
    const count = syscall("read", fd, addressOf(bytes) + length, limit - length);
    if (count === -EINTR) continue;
    length += check(count, { operation: "read", subject: "the status pipe" });
    if (count === 0 || length === limit) return bytes.subarray(0, length);
  }
}

/**
 * Clones a child that runs `program`. Every signal is blocked in it until {@link execTail}.
 *
 * The child inherits every descriptor; a program that closes them must spare the status pipe ({@link ChildProgram}),
 * or close them by close_range with CLOSE_RANGE_CLOEXEC. Must be called on the main thread: a parent-death signal
 * set by the child comes when the *thread* that cloned it ends.
 *
 * Throws a KernelError where clone(2) is refused.
 */
export function spawnChild(options: ChildOptions): Child {
  const { program, flags, shareMemory } = options;
  if (shareMemory && !(flags & CLONE_NEWPID)) {
    throw new Error("memory may be shared only with the first process of a new PID namespace");
  }
  if (flags & ~CLONE_NEW) throw new Error(`clone flags 0x${flags.toString(16)} hold more than namespaces`);
  return spawnNative((status) => {
    const last = options.last?.(status);
    const own = typeof program === "function" ? program(status, last?.fd) : program;
    const whole = last ? continued(own, { writing: status, last: last.fd }) : own;
    return { native: new NativeProgram(surroundChild(whole, options)), last };
  });
}

/** A child's program that has the parent's part around it, and the file of its last steps, if there is one. */
interface NativeChild {
  readonly native: NativeProgram;
  readonly last?: Executable | undefined;
}

/** As {@link spawnChild}, of a program that is in memory already: `make` is told the status pipe's writing end. */
export function spawnNative(make: (status: number) => NativeChild): Child {
  forbidDumping();
  const [reading, writing] = statusPipe();
  const { native, last } = make(writing);
  using _last = last; // the child has it as well from now on
  native.run();
  syscall("close", writing);
  const pid = native.result("clone: pid");
  if (pid > 0) return new Child(native, { status: reading, last });
  const failure = native.failure(); // signals that could not be blocked: then nothing was cloned
  syscall("close", reading);
  native[Symbol.dispose]();
  if (failure) throw failureError(failure);
  throw new KernelError({ operation: "clone", subject: "a child process", errno: -pid });
}

/**
 * The last items before execve: each signal that this process ignores is set to its default (execve resets
 * handlers by itself, ignored ones stay ignored, SIGPIPE among them), and no signal is blocked.
 */
export function execTail(): Item[] {
  const items: Item[] = [];
  for (const signal of ignoredSignals()) {
    items.push({
      call: "rt_sigaction",
      args: [signal, DEFAULT_ACTION, 0, SIGSET_BYTES],
      operation: "reset the disposition of",
      subject: `signal ${signal}`,
    });
  }
  items.push(maskCall(NO_SIGNALS, { operation: "unblock" }));
  return items;
}

/** The numbers of the signals this process ignores, by `SigIgn:` of /proc/self/status (proc(5)). */
export function ignoredSignals(): number[] {
  const path = new TextEncoder().encode("/proc/thread-self/status\0");
  const doing = { operation: "read", subject: "/proc/thread-self/status" };
  const descriptor = check(syscall("openat", AT_FDCWD, addressOf(path), O_CLOEXEC), doing);
  const bytes = new Uint8Array(4096);
  const length = syscall("read", descriptor, addressOf(bytes), bytes.length);
  syscall("close", descriptor);
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, check(length, doing)));
  const at = text.indexOf("SigIgn:\t") + 8;
  const signals: number[] = [];
  for (let signal = 1; signal <= 64; signal++) {
    const digit = Number.parseInt(text.charAt(at + 15 - ((signal - 1) >> 2)), 16);
    if (digit & (1 << ((signal - 1) & 3))) signals.push(signal);
  }
  return signals;
}

let undumpable = false;

/**
 * Makes this process not dumpable, once: then no process without CAP_SYS_PTRACE over it opens its /proc/N/exe,
 * mem or fd (CVE-2019-5736). The child inherits that until execve.
 */
function forbidDumping(): void {
  if (undumpable) return;
  check(syscall("prctl", PR_SET_DUMPABLE, 0), { operation: "forbid dumping of", subject: "this process" });
  undumpable = true;
}

function statusPipe(): [number, number] {
  const pair = new Uint32Array(2);
  const bytes = new Uint8Array(pair.buffer);
  check(syscall("pipe2", addressOf(bytes), O_CLOEXEC), { operation: "make", subject: "the status pipe" });
  return [pair[0] as number, pair[1] as number]; // the array has two elements
}

/** A program that becomes the executable of its last steps, and leaves them the status pipe. */
function continued(program: SyscallProgram, { writing, last }: { writing: number; last: number }): SyscallProgram {
  const argv = { words: [{ text: "skdocker" }, 0] };
  const doing = { operation: "go on in", subject: "an executable file in memory" };
  return {
    ...program,
    items: [
      ...program.items,
      { call: "fcntl", args: [writing, F_SETFD, 0], operation: "keep", subject: "the status pipe" },
      { call: "execveat", args: [last, { text: "" }, argv, { words: [0] }, AT_EMPTY_PATH], ...doing },
    ],
  };
}
