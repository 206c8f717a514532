/** A file descriptor with one owner, who closes it, by `using` or by hand. */
import { check, syscall } from "../../ffi/libc.ts";

/** An open descriptor. */
export class Descriptor implements Disposable {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The number. Throws once it is closed: a number that was closed may already be someone else's. */
  get fd(): number {
    if (this.#fd < 0) throw new Error("the descriptor is closed");
    return this.#fd;
  }

  get closed(): boolean {
    return this.#fd < 0;
  }

  /** Closes it; a second call does nothing. An error of close(2) on Linux comes after the descriptor is gone. */
  close(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    syscall("close", fd);
  }

  /** Gives the number away: whoever takes it closes it. */
  release(): number {
    const fd = this.fd;
    this.#fd = -1;
    return fd;
  }

  /** A second descriptor of the same open file, close-on-exec. */
  duplicate(): Descriptor {
    const result = syscall("fcntl", this.fd, F_DUPFD_CLOEXEC, 3);
    return new Descriptor(check(result, { operation: "duplicate", subject: `descriptor ${this.#fd}` }));
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const F_DUPFD_CLOEXEC = 1030; // include/uapi/linux/fcntl.h
