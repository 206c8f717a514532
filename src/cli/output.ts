/** Writing to standard output and error by system calls: Node's streams cost 10 ms to build, node:fs 1.5 ms to load. */
import { isKernelError } from "../../ffi/errno.ts";
import { addressOf, check, syscall } from "../../ffi/libc.ts";

/** Writes all of `text` to standard output. Throws the KernelError of a write that fails, EPIPE above all. */
export function print(text: string): void {
  writeAll(1, text);
}

/** Writes all of `text` to standard error. An error that cannot be told has nobody to be told to. */
export function printError(text: string): void {
  try {
    writeAll(2, text);
  } catch {
    // Standard error is closed, or a pipe without a reader: the exit code still says it.
  }
}

function writeAll(fd: 1 | 2, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) {
    const rest = bytes.subarray(written);
    try {
      const doing = { operation: "write to", subject: fd === 1 ? "standard output" : "standard error" };
      written += check(syscall("write", fd, addressOf(rest), rest.length), doing);
    } catch (error) {
      if (isKernelError(error, "EINTR")) continue;
      // Somebody else made the pipe or terminal non-blocking, and it is full.
      if (!isKernelError(error, "EAGAIN")) throw error;
      awaitWritable(fd);
    }
  }
}

const POLLOUT = 4; // include/uapi/asm-generic/poll.h

function awaitWritable(fd: number): void {
  const poll = new Uint8Array(new Int32Array([fd, POLLOUT]).buffer);
  syscall("ppoll", addressOf(poll), 1, 0, 0, 0);
}
