/**
 * A synchronous event loop on epoll(7): descriptors and timers in one thread.
 *
 * Supervision runs on it and not on the engine's own loop: that one would build streams (10 ms of start-up), and
 * it cannot watch a descriptor that it has not opened. While the loop waits, the JavaScript thread stands in
 * epoll_pwait and uses nothing.
 */
import { errnoNumber, KernelError } from "../../ffi/errno.ts";
import { addressOf, check, MACHINE, syscall } from "../../ffi/libc.ts";

// include/uapi/linux/eventpoll.h
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EPOLLIN = 0x1;
const EPOLLOUT = 0x4;
const EPOLLERR = 0x8;
const EPOLLHUP = 0x10;

/** struct epoll_event is packed on x86-64 alone: the 64 bits of data follow the 32 bits of events at once. */
const EVENT_SIZE = MACHINE === "x64" ? 12 : 16;
const DATA_OFFSET = EVENT_SIZE - 8;
const EVENTS_AT_ONCE = 64;

/** What a descriptor is awaited for. */
export interface Interest {
  readonly readable: boolean;
  readonly writable: boolean;
}

/** Called while the condition lasts (level-triggered); an error or a hang-up counts as both. */
export interface Handlers {
  readable(): void;
  writable(): void;
}

/** A descriptor on the loop. */
export interface Watch {
  change(interest: Interest): void;
  /** To be called before the descriptor is closed. */
  remove(): void;
}

/** A call to come; it comes once, or never after `cancel`. */
export interface Timer {
  cancel(): void;
}

interface Registration {
  readonly handlers: Handlers;
  interest: Interest;
  /** Tells events that were fetched before a removal from those of a later holder of the same number. */
  removed: boolean;
}

/** The loop. */
export class Reactor implements Disposable {
  readonly #epoll: number;
  readonly #registrations = new Map<number, Registration>();
  readonly #timers = new Set<{ readonly due: number; readonly call: () => void }>();
  readonly #events = new Uint8Array(EVENT_SIZE * EVENTS_AT_ONCE);
  readonly #view = new DataView(this.#events.buffer, this.#events.byteOffset);
  readonly #change = new Uint8Array(EVENT_SIZE);
  readonly #changeView = new DataView(this.#change.buffer, this.#change.byteOffset);

  constructor() {
    this.#epoll = check(syscall("epoll_create1", EPOLL_CLOEXEC), { operation: "create", subject: "an epoll instance" });
  }

  /** Watches a descriptor. Throws a KernelError with EPERM for one that is always ready, such as a regular file. */
  add(fd: number, interest: Interest, handlers: Handlers): Watch {
    const registration: Registration = { handlers, interest: NOTHING, removed: false };
    this.#registrations.set(fd, registration);
    const watch: Watch = {
      change: (next) => {
        if (registration.removed) return;
        this.#control(fd, registration.interest, next);
        registration.interest = next;
      },
      remove: () => {
        if (registration.removed) return;
        registration.removed = true;
        this.#registrations.delete(fd);
        this.#control(fd, registration.interest, NOTHING);
      },
    };
    watch.change(interest);
    return watch;
  }

  /** Calls `call` once, in `milliseconds` from now (0 or more) or as soon after as the loop comes round. */
  timer(milliseconds: number, call: () => void): Timer {
    const timer = { due: now() + milliseconds, call };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Serves events until `finished` says so; it is asked before each wait. */
  run(finished: () => boolean): void {
    while (!finished()) {
      this.#wait();
      this.#callTimers();
    }
  }

  #wait(): void {
    const address = addressOf(this.#events);
    const count = syscall("epoll_pwait", this.#epoll, address, EVENTS_AT_ONCE, this.#timeout(), 0, 8);
    if (count === -errnoNumber("EINTR")) return;
    check(count, { operation: "wait for", subject: "events" });
    const ready: { registration: Registration; events: number }[] = [];
    for (let index = 0; index < count; index++) {
      const at = index * EVENT_SIZE;
      const registration = this.#registrations.get(this.#view.getInt32(at + DATA_OFFSET, true));
      if (registration) ready.push({ registration, events: this.#view.getUint32(at, true) });
    }
    for (const { registration, events } of ready) dispatch(registration, events);
  }

  /** Milliseconds until the next timer, rounded up so that it is due when the wait ends; -1 without timers. */
  #timeout(): number {
    let next = Infinity;
    for (const timer of this.#timers) next = Math.min(next, timer.due);
    return next === Infinity ? -1 : Math.max(0, Math.ceil(next - now()));
  }

  #callTimers(): void {
    if (this.#timers.size === 0) return;
    const time = now();
    for (const timer of [...this.#timers]) {
      if (timer.due <= time && this.#timers.delete(timer)) timer.call();
    }
  }

  /** A descriptor that nobody awaits is taken out: epoll would report its hang-up again and again. */
  #control(fd: number, before: Interest, after: Interest): void {
    const from = eventsOf(before);
    const to = eventsOf(after);
    if (from === to) return;
    const operation = from === 0 ? EPOLL_CTL_ADD : to === 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    this.#changeView.setUint32(0, to, true);
    this.#changeView.setInt32(DATA_OFFSET, fd, true);
    const result = syscall("epoll_ctl", this.#epoll, operation, fd, addressOf(this.#change));
    if (result < 0) throw new KernelError({ operation: "watch", subject: `descriptor ${fd}`, errno: -result });
  }

  [Symbol.dispose](): void {
    syscall("close", this.#epoll);
  }
}

const NOTHING: Interest = { readable: false, writable: false };

function eventsOf({ readable, writable }: Interest): number {
  return (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);
}

function dispatch(registration: Registration, events: number): void {
  const { handlers } = registration;
  const broken = (events & (EPOLLERR | EPOLLHUP)) !== 0;
  const { readable, writable } = registration.interest;
  if (!registration.removed && readable && (broken || (events & EPOLLIN) !== 0)) handlers.readable();
  if (!registration.removed && writable && (broken || (events & EPOLLOUT) !== 0)) handlers.writable();
}

/** Milliseconds of a clock that no one sets. */
function now(): number {
  return performance.now();
}
