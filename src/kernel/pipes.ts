/** Pipes, descriptor flags, and moving bytes between descriptors inside the kernel. */
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import { Descriptor } from "./descriptor.ts";
import { O_CLOEXEC, O_NONBLOCK } from "./open_flags.ts";

const EINTR = 4;

/** The two ends of a pipe. */
export interface Pipe {
  readonly read: Descriptor;
  readonly write: Descriptor;
}

/** Makes a pipe, close-on-exec; with `nonBlocking` both ends are. */
export function pipe({ nonBlocking = false } = {}): Pipe {
  const ends = new Int32Array(2);
  const bytes = new Uint8Array(ends.buffer);
  const flags = O_CLOEXEC | (nonBlocking ? O_NONBLOCK : 0);
  check(syscall("pipe2", addressOf(bytes), flags), { operation: "make", subject: "a pipe" });
  return { read: new Descriptor(ends[0] as number), write: new Descriptor(ends[1] as number) }; // of length 2
}

// include/uapi/asm-generic/fcntl.h, include/uapi/linux/fcntl.h
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const FD_CLOEXEC = 1;

/** The status flags of the open file behind a descriptor (O_RDWR, O_APPEND, O_NONBLOCK …). */
export function statusFlags(fd: number): number {
  return check(syscall("fcntl", fd, F_GETFL), { operation: "look at", subject: `descriptor ${fd}` });
}

/** Sets or clears O_NONBLOCK. It belongs to the open file, so whoever else has that file open sees it, too. */
export function setNonBlocking(fd: number, nonBlocking: boolean): void {
  const flags = statusFlags(fd);
  const wanted = nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (wanted === flags) return;
  check(syscall("fcntl", fd, F_SETFL, wanted), { operation: "change the flags of", subject: `descriptor ${fd}` });
}

/** Sets or clears close-on-exec. */
export function setCloseOnExec(fd: number, close: boolean): void {
  const doing = { operation: "change close-on-exec of", subject: `descriptor ${fd}` };
  check(syscall("fcntl", fd, F_SETFD, close ? FD_CLOEXEC : 0), doing);
}

// include/linux/splice.h
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;

/** What to move, at most `length` bytes, from the current offset of `from` to that of `to`. */
export interface Transfer {
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/**
 * splice(2) without waiting; one of the two must be a pipe. Returns the count, 0 at the end of the input, -EAGAIN
 * where it would wait, -EINVAL where a file cannot be spliced (a terminal, one opened with O_APPEND), or another -errno.
 */
export function spliceBytes({ from, to, length }: Transfer): number {
  let result: number;
  do result = syscall("splice", from, 0, to, 0, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK); while (result === -EINTR);
  return result;
}

/** sendfile(2) from a file that can be mapped. Returns the count, 0 at its end, or -errno, EAGAIN included. */
export function sendFile({ from, to, length }: Transfer): number {
  let result: number;
  do result = syscall("sendfile", to, from, 0, length); while (result === -EINTR);
  return result;
}
