/**
 * Processes that are not our children, held by a pidfd: a number that cannot come to mean another process.
 *
 * A pid in a file may have been given to someone else since. So: open the pidfd, then compare the start time,
 * then act through the pidfd. In that order the answer holds for as long as the pidfd does.
 */
import { isKernelError } from "../../ffi/errno.ts";
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import { Descriptor } from "./descriptor.ts";
import { readText } from "./files.ts";
import { signalName } from "./signal_names.ts";

const ESRCH = 3;
const EINTR = 4;
const EINVAL = 22;
const POLLIN = 1;

/** A process across time: start times count clock ticks since boot, so a boot must be compared by the caller. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat (proc(5)). */
  readonly startTime: number;
}

/** A pidfd of the process that now has this pid; `undefined` where there is none. */
export function openPidfd(pid: number): Descriptor | undefined {
  const result = syscall("pidfd_open", pid, 0);
  // EINVAL: a thread that is not the leader of a process has this number.
  if (result === -ESRCH || result === -EINVAL) return undefined;
  return new Descriptor(check(result, { operation: "open", subject: `process ${pid}` }));
}

/** A pidfd of exactly this process; `undefined` where it has ended (or is a zombie that nobody has reaped). */
export function openProcess({ pid, startTime }: ProcessIdentity): Descriptor | undefined {
  const pidfd = openPidfd(pid);
  if (!pidfd) return undefined;
  if (processStartTime(pid) === startTime && !hasEnded(pidfd.fd)) return pidfd;
  pidfd.close();
  return undefined;
}

/** Sends a signal. Returns false where the process has ended. */
export function signalPidfd(pidfd: number, signal: number): boolean {
  const result = syscall("pidfd_send_signal", pidfd, signal, 0, 0);
  if (result === -ESRCH) return false;
  check(result, { operation: `send ${signalName(signal)} to`, subject: "a process" });
  return true;
}

/** Whether the process of a pidfd has ended; it may still wait for its parent to reap it. */
export function hasEnded(pidfd: number): boolean {
  return awaitEnd(pidfd, 0);
}

/** Waits at most `milliseconds` (rounded up to seconds of 1000) until a process has ended; says whether it has. */
export function awaitEnd(pidfd: number, milliseconds: number): boolean {
  const poll = new Int32Array([pidfd, POLLIN]);
  const bytes = new Uint8Array(poll.buffer);
  const until = performance.now() + milliseconds;
  for (;;) {
    const left = Math.max(0, until - performance.now());
    const timeout = new BigInt64Array([BigInt(Math.floor(left / 1000)), BigInt(Math.floor((left % 1000) * 1e6))]);
    const time = new Uint8Array(timeout.buffer);
    const result = syscall("ppoll", addressOf(bytes), 1, addressOf(time), 0, 0);
    if (result !== -EINTR) return check(result, { operation: "wait for", subject: "a process" }) > 0;
  }
}

/** When a process was started, in clock ticks since boot; `undefined` where there is no such process. */
export function processStartTime(pid: number | "self"): number | undefined {
  try {
    return parseStartTime(readText(`/proc/${pid}/stat`));
  } catch (error) {
    // ESRCH: it ended between open and read.
    if (isKernelError(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}

/** The start time in the text of /proc/PID/stat. The command's name, in parentheses, may hold spaces and parentheses. */
export function parseStartTime(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[19]); // what follows the name begins with field 3
}
