/** Writing to standard output and error without Node's streams, which cost 10 ms to build. */
import { writeSync } from "node:fs";

/** Writes all of `text` to standard output. Throws what node:fs throws, EPIPE above all. */
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
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      // Somebody else made the pipe or terminal non-blocking, and it is full.
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}
