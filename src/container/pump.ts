/**
 * Moves bytes from one descriptor to another on a reactor, without ever blocking on a pipe.
 *
 * One buffer, one direction: while it is empty the source is awaited, else the sink. A regular file cannot be
 * awaited (epoll answers EPERM) and counts as always ready.
 */
import { isKernelError, KernelError } from "../../ffi/errno.ts";
import { addressOf, syscall } from "../../ffi/libc.ts";
import type { Handlers, Interest, Reactor } from "../kernel/reactor.ts";

const BUFFER_SIZE = 65536;
const EINTR = 4;
const EIO = 5;
const EAGAIN = 11;
const EPIPE = 32;

/** One end of a pump. What it owns it closes, as soon as nothing more can pass. */
export interface PumpEnd {
  readonly fd: number;
  readonly owner?: { close(): void };
  /** Bytes for one write: a blocking terminal is given little at a time. */
  readonly most?: number;
  /** Called when a source has ended by itself, or when a sink takes nothing more. */
  readonly atEnd?: () => void;
}

/** Bytes on their way from a source to a sink. */
export class Pump implements Disposable {
  readonly #source: PumpEnd;
  readonly #sink: PumpEnd;
  readonly #buffer = new Uint8Array(BUFFER_SIZE);
  readonly #address = addressOf(this.#buffer);
  #start = 0;
  #end = 0;
  #finished = false;
  #reactor: Reactor | undefined;
  #sourceAwaited = false;
  #sinkAwaited = false;

  constructor({ source, sink }: { source: PumpEnd; sink: PumpEnd }) {
    this.#source = source;
    this.#sink = sink;
  }

  /** Whether the source has ended, or the sink takes nothing more. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Begins to move bytes. */
  attach(reactor: Reactor): void {
    this.#reactor = reactor;
    // Each for its own end: one event may tell of room in the sink and of its hang-up, and a read would then wait.
    this.#sourceAwaited = awaitIfPossible(reactor, this.#source.fd, { readable: () => this.#turn() });
    this.#sinkAwaited = awaitIfPossible(reactor, this.#sink.fd, { writable: () => this.#turn() });
    this.#await();
  }

  /** After the writer's end: takes what is still in the source; true once the sink has all of it. */
  drain(): boolean {
    while (this.#step()) { /* until the source is empty or the sink is full */ }
    if (!this.#finished) this.#await();
    return this.#finished || this.#start === this.#end;
  }

  /** One read or one write per event, so that no stream keeps the others waiting. */
  #turn(): void {
    this.#step();
    if (!this.#finished) this.#await();
  }

  /** Waits for the end that the next step needs; an end that is always ready is served at once. */
  #await(): void {
    while (!this.#finished) {
      const holding = this.#start < this.#end;
      if (holding ? this.#sinkAwaited : this.#sourceAwaited) return this.#waitFor({ source: !holding, sink: holding });
      if (!this.#step()) return;
    }
  }

  #waitFor({ source, sink }: { source: boolean; sink: boolean }): void {
    if (this.#sourceAwaited) this.#reactor?.modify(this.#source.fd, source ? READABLE : NOTHING);
    if (this.#sinkAwaited) this.#reactor?.modify(this.#sink.fd, sink ? WRITABLE : NOTHING);
  }

  /** One read or one write; false when it would have to wait, or when there is nothing more to do. */
  #step(): boolean {
    if (this.#finished) return false;
    return this.#start === this.#end ? this.#read() : this.#write();
  }

  #read(): boolean {
    const count = syscall("read", this.#source.fd, this.#address, BUFFER_SIZE);
    if (count === -EAGAIN) return false;
    if (count === -EINTR) return true;
    // EIO: the last slave of a pty was closed, or a terminal has gone: an end of file.
    if (count === 0 || count === -EIO) {
      this.#finish();
      this.#source.atEnd?.();
      return false;
    }
    if (count < 0) throw new KernelError({ operation: "read", subject: "a standard stream", errno: -count });
    this.#start = 0;
    this.#end = count;
    return true;
  }

  #write(): boolean {
    const length = Math.min(this.#end - this.#start, this.#sink.most ?? BUFFER_SIZE);
    const count = syscall("write", this.#sink.fd, this.#address + this.#start, length);
    if (count === -EAGAIN) return false;
    if (count === -EINTR) return true;
    // Nobody reads any more. Closing the source lets its writer learn that as it would without us.
    if (count === -EPIPE || count === -EIO) {
      this.#finish();
      this.#sink.atEnd?.();
      return false;
    }
    if (count < 0) throw new KernelError({ operation: "write to", subject: "a standard stream", errno: -count });
    this.#start += count;
    return true;
  }

  #finish(): false {
    if (this.#finished) return false;
    this.#finished = true;
    this.#reactor?.remove(this.#source.fd);
    this.#reactor?.remove(this.#sink.fd);
    this.#reactor = undefined;
    this.#source.owner?.close();
    this.#sink.owner?.close();
    return false;
  }

  [Symbol.dispose](): void {
    this.#finish();
  }
}

const READABLE: Interest = { readable: true };
const WRITABLE: Interest = { writable: true };
const NOTHING: Interest = {};

/** Puts a descriptor on the reactor, at rest; false for one that epoll refuses because it is always ready. */
function awaitIfPossible(reactor: Reactor, fd: number, handlers: Handlers): boolean {
  try {
    reactor.add(fd, handlers, READABLE);
  } catch (error) {
    if (isKernelError(error, "EPERM")) return false;
    throw error;
  }
  reactor.modify(fd, NOTHING);
  return true;
}
