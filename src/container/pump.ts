/**
 * Moves bytes from one descriptor to another on a reactor, without ever blocking on a pipe.
 *
 * One buffer, one direction: while it is empty the source is awaited, else the sink. A regular file cannot be
 * awaited (epoll answers EPERM) and counts as always ready.
 */
import { isKernelError, KernelError } from "../../ffi/errno.ts";
import { addressOf, syscall } from "../../ffi/libc.ts";
import type { Handlers, Interest, Reactor, Watch } from "../kernel/reactor.ts";

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
  #sourceWatch: Watch | undefined;
  #sinkWatch: Watch | undefined;

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
    const handlers: Handlers = { readable: () => this.#turn(), writable: () => this.#turn() };
    this.#sourceWatch = watchIfPossible(reactor, this.#source.fd, handlers);
    this.#sinkWatch = watchIfPossible(reactor, this.#sink.fd, handlers);
    this.#await();
    // With a file at both ends nothing would ever call: move all of it now.
    if (!this.#sourceWatch && !this.#sinkWatch) { while (this.#step()) { /* until the file ends */ } }
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

  #await(): void {
    const holding = this.#start < this.#end;
    // An end that is always ready is not awaited; the other one's readiness then drives both.
    this.#sourceWatch?.change(!holding ? READABLE : NOTHING);
    this.#sinkWatch?.change(holding || !this.#sourceWatch ? WRITABLE : NOTHING);
    if (holding && !this.#sinkWatch) { while (this.#start < this.#end && this.#step()) { /* a file takes all */ } }
    if (!this.#finished && this.#start === this.#end) this.#sourceWatch?.change(READABLE);
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
    if (count === 0 || count === -EIO) return this.#finish();
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
    if (count === -EPIPE || count === -EIO) return this.#finish();
    if (count < 0) throw new KernelError({ operation: "write", subject: "a standard stream", errno: -count });
    this.#start += count;
    return true;
  }

  #finish(): false {
    this.#finished = true;
    this.#sourceWatch?.remove();
    this.#sinkWatch?.remove();
    this.#source.owner?.close();
    this.#sink.owner?.close();
    return false;
  }

  [Symbol.dispose](): void {
    this.#finish();
  }
}

const READABLE: Interest = { readable: true, writable: false };
const WRITABLE: Interest = { readable: false, writable: true };
const NOTHING: Interest = { readable: false, writable: false };

/** Watches a descriptor for nothing yet; `undefined` for one that epoll cannot watch, because it is always ready. */
function watchIfPossible(reactor: Reactor, fd: number, handlers: Handlers): Watch | undefined {
  const watch = reactor.add(fd, NOTHING, handlers);
  try {
    watch.change(READABLE);
    watch.change(NOTHING);
    return watch;
  } catch (error) {
    if (!isKernelError(error, "EPERM")) throw error;
    watch.remove();
    return undefined;
  }
}
