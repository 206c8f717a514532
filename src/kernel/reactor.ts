/**
 * A synchronous event loop on epoll(7): descriptors, timers, and a condition to stop at.
 *
 * A foreground container is supervised by this instead of the engine's event loop: nothing of Node's streams is
 * built (10 ms), and the process sleeps in one system call. Level-triggered, so a handler may take a part of
 * what there is; single-threaded, so handlers never overlap.
 */
import { addressOf, check, MACHINE, syscall } from "../../ffi/libc.ts";

// include/uapi/linux/eventpoll.h
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EPOLLIN = 1;
const EPOLLOUT = 4;
const EPOLLERR = 8;
const EPOLLHUP = 0x10;

const EINTR = 4;

/** struct epoll_event is packed on x86-64 alone: 32 bits of events, 64 of ours (descriptor and generation). */
const EVENT_WORDS = MACHINE === "x64" ? 3 : 4;
const DATA_WORD = MACHINE === "x64" ? 1 : 2;
const EVENTS = 32;

/** What to wait for. The kernel always reports a hang-up or an error of a descriptor that waits for anything. */
export interface Interest {
  readonly readable?: boolean;
  readonly writable?: boolean;
}

/** Called when a descriptor is ready. */
export interface Handlers {
  readable?(): void;
  writable?(): void;
  /** The other end is gone, or there is an error; without this handler, readable (else writable) is called to meet it. */
  hangup?(): void;
}

interface Watch {
  handlers: Handlers;
  /** Distinguishes this from a former watch of the same number whose event is still in the batch. */
  readonly generation: number;
  /** Events the kernel knows of; 0 when it has been told to forget the descriptor. */
  events: number;
}

/** A timer, to be cancelled. */
export interface Timer {
  cancel(): void;
}

interface PendingTimer {
  readonly due: number;
  readonly callback: () => void;
}

/** The loop. Descriptors stay their owners'; close one only after {@link Reactor.remove}. */
export class Reactor implements Disposable {
  readonly #epoll: number;
  readonly #watches = new Map<number, Watch>();
  readonly #timers = new Set<PendingTimer>();
  readonly #events = new Int32Array(EVENTS * EVENT_WORDS);
  readonly #eventsAt: number;
  readonly #request = new Int32Array(EVENT_WORDS);
  #generation = 0;

  constructor() {
    this.#epoll = check(syscall("epoll_create1", EPOLL_CLOEXEC), { operation: "make", subject: "an epoll" });
    this.#eventsAt = addressOf(new Uint8Array(this.#events.buffer));
  }

  /**
   * Waits for a descriptor: by default for what there are handlers for. Throws a KernelError with EPERM for a
   * regular file or a directory, which are always ready and cannot be waited for.
   */
  add(fd: number, handlers: Handlers, interest: Interest = interestOf(handlers)): void {
    if (this.#watches.has(fd)) throw new Error(`descriptor ${fd} is watched already`);
    const watch: Watch = { handlers, generation: ++this.#generation, events: 0 };
    this.#watches.set(fd, watch);
    try {
      // A pidfd or a pipe's writing end may be waited for with a hang-up handler alone.
      this.#set(fd, watch, eventsOf(interest) || (handlers.hangup ? EPOLLHUP : 0));
    } catch (error) {
      this.#watches.delete(fd);
      throw error;
    }
  }

  /** Changes what is waited for. With nothing, the descriptor rests: not even a hang-up is reported. */
  modify(fd: number, interest: Interest): void {
    const watch = this.#watches.get(fd);
    if (!watch) throw new Error(`descriptor ${fd} is not watched`);
    this.#set(fd, watch, eventsOf(interest));
  }

  /** Whether a descriptor is waited for (or rests). */
  has(fd: number): boolean {
    return this.#watches.has(fd);
  }

  /** Forgets a descriptor; events of it that are still to be handled are dropped. Must come before close(2). */
  remove(fd: number): void {
    const watch = this.#watches.get(fd);
    if (!watch) return;
    this.#set(fd, watch, 0);
    this.#watches.delete(fd);
  }

  /** Calls back once, in `milliseconds` at the earliest. */
  timer(milliseconds: number, callback: () => void): Timer {
    const timer: PendingTimer = { due: performance.now() + milliseconds, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Handles events until `until()` holds; it is asked at the start and after each batch. */
  run(until: () => boolean): void {
    while (!until()) {
      if (this.#watches.size === 0 && this.#timers.size === 0) throw new Error("there is nothing left to wait for");
      this.turn();
    }
  }

  /** Waits for one batch of events, at most `timeout` milliseconds, and handles it. Returns how many there were. */
  turn(timeout = Infinity): number {
    const wait = Math.min(timeout, this.#untilTimer());
    // Rounded up: to wake a moment early would mean to spin until the timer is due.
    const milliseconds = wait === Infinity ? -1 : Math.min(Math.ceil(Math.max(0, wait)), 0x7fffffff);
    const count = syscall("epoll_pwait", this.#epoll, this.#eventsAt, EVENTS, milliseconds, 0, 8);
    if (count !== -EINTR) check(count, { operation: "wait for", subject: "events" });
    for (let index = 0; index < count; index++) {
      const at = index * EVENT_WORDS;
      // The words are within the array: count is at most EVENTS.
      const fd = this.#events[at + DATA_WORD] as number;
      const watch = this.#watches.get(fd);
      if (watch && watch.generation === this.#events[at + DATA_WORD + 1]) {
        this.#dispatch(fd, watch, this.#events[at] as number);
      }
    }
    this.#fireTimers();
    return Math.max(0, count);
  }

  #dispatch(fd: number, watch: Watch, events: number): void {
    const { handlers } = watch;
    if (events & EPOLLIN) handlers.readable?.();
    if (events & EPOLLOUT && this.#watches.get(fd) === watch) handlers.writable?.();
    // What can still be read comes before the hang-up.
    if (!(events & (EPOLLHUP | EPOLLERR)) || events & EPOLLIN || this.#watches.get(fd) !== watch) return;
    if (handlers.hangup) handlers.hangup();
    else if (handlers.readable) handlers.readable();
    else if (!(events & EPOLLOUT)) handlers.writable?.();
  }

  #set(fd: number, watch: Watch, events: number): void {
    if (watch.events === events) return;
    const action = events === 0 ? EPOLL_CTL_DEL : watch.events === 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    this.#request[0] = events;
    this.#request[DATA_WORD] = fd;
    this.#request[DATA_WORD + 1] = watch.generation;
    const request = new Uint8Array(this.#request.buffer);
    const result = syscall("epoll_ctl", this.#epoll, action, fd, addressOf(request));
    check(result, { operation: "wait for", subject: `descriptor ${fd}` });
    watch.events = events;
  }

  #untilTimer(): number {
    let next = Infinity;
    for (const { due } of this.#timers) if (due < next) next = due;
    return next === Infinity ? next : next - performance.now();
  }

  #fireTimers(): void {
    if (this.#timers.size === 0) return;
    const now = performance.now();
    for (const timer of [...this.#timers].sort((a, b) => a.due - b.due)) {
      if (timer.due > now) return;
      // One that an earlier callback has cancelled is no longer in the set.
      if (this.#timers.delete(timer)) timer.callback();
    }
  }

  [Symbol.dispose](): void {
    this.#watches.clear();
    this.#timers.clear();
    syscall("close", this.#epoll);
  }
}

function interestOf(handlers: Handlers): Interest {
  return { readable: handlers.readable !== undefined, writable: handlers.writable !== undefined };
}

function eventsOf({ readable = false, writable = false }: Interest): number {
  return (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);
}
