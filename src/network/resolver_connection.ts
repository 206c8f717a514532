/**
 * One TCP connection of a client: queries in, answers out, each with its length before it (RFC 7766).
 *
 * The client is hostile: it may send half a message, or ask and never read. So a connection holds at most
 * {@link QUERIES_AT_ONCE} queries and is not read from while it does or while answers wait to be read, and it
 * is closed after {@link IDLE} milliseconds in which not a byte moved.
 */
import { receive, send } from "../kernel/datagram.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import type { Reactor, Timer } from "../kernel/reactor.ts";
import { framed } from "./resolver_upstream.ts";

/** Queries of one connection that may wait for their answers; more are read when one is answered. */
const QUERIES_AT_ONCE = 8;
/** Milliseconds without progress after which a connection is closed. */
const IDLE = 10_000;
/** The largest query taken; those seen have some hundred bytes, and longer ones would only cost memory. */
const LARGEST_QUERY = 4096;

/** What a connection needs of its server. */
export interface ConnectionOwner {
  /** Takes a whole message; calls `answer` once, now or later. False: it is none that is answered. */
  query(message: Uint8Array, answer: (answer: Uint8Array) => void): boolean;
  /** The connection has closed itself. */
  closed(connection: Connection): void;
}

/** A client's connection; it owns its descriptor. */
export class Connection implements Disposable {
  readonly #socket: Descriptor;
  readonly #reactor: Reactor;
  readonly #owner: ConnectionOwner;
  #idle: Timer | null = null;
  readonly #input = new Uint8Array(2 + LARGEST_QUERY);
  #filled = 0;
  readonly #output: Uint8Array[] = [];
  #waiting = 0;
  /** The client has sent all it will; what it asked is still answered. */
  #ended = false;
  #open = true;
  /** Messages are being handed on: an answer given at once must not begin to do so again. */
  #handing = false;

  constructor(socket: Descriptor, { reactor, owner }: { reactor: Reactor; owner: ConnectionOwner }) {
    this.#socket = socket;
    this.#reactor = reactor;
    this.#owner = owner;
    const handlers = { readable: () => this.#read(), writable: () => this.#write(), hangup: () => this.#close() };
    reactor.add(socket.fd, handlers, { readable: true });
    this.#moved();
  }

  /** Closes it; answers that come later are dropped. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#idle?.cancel();
    this.#reactor.remove(this.#socket.fd);
    this.#socket.close();
  }

  #close(): void {
    this[Symbol.dispose]();
    this.#owner.closed(this);
  }

  /** Something moved: the idle time begins anew. */
  #moved(): void {
    this.#idle?.cancel();
    this.#idle = this.#reactor.timer(IDLE, () => this.#close());
  }

  #read(): void {
    // An event fetched before the interest changed.
    if (!this.#takesMore()) return;
    const size = receive(this.#socket.fd, this.#input.subarray(this.#filled));
    if (size === null) return;
    if (size < 0) return this.#close();
    if (size === 0) this.#ended = true;
    this.#filled += size;
    this.#moved();
    this.#takeMessages();
  }

  /** Hands on the messages that are whole, as many as may wait. */
  #takeMessages(): void {
    let start = 0;
    this.#handing = true;
    while (this.#takesMore() && this.#filled - start >= 2) {
      const [high = 0, low = 0] = this.#input.subarray(start);
      const length = high << 8 | low;
      if (length === 0 || length > LARGEST_QUERY) return this.#close();
      if (this.#filled - start < 2 + length) break;
      this.#ask(this.#input.slice(start + 2, start + 2 + length));
      start += 2 + length;
    }
    this.#handing = false;
    this.#input.copyWithin(0, start, this.#filled);
    this.#filled -= start;
    this.#await();
  }

  #ask(message: Uint8Array): void {
    this.#waiting++;
    const taken = this.#owner.query(message, (answer) => {
      this.#waiting--;
      if (this.#open) this.#answer(answer);
    });
    if (!taken) this.#close();
  }

  #answer(answer: Uint8Array): void {
    this.#output.push(framed(answer));
    this.#write();
  }

  #write(): void {
    for (let next = this.#output[0]; this.#open && next; next = this.#output[0]) {
      const sent = send(this.#socket.fd, next);
      if (sent === null) break;
      if (sent < 0) return this.#close();
      this.#moved();
      if (sent === next.length) this.#output.shift();
      else this.#output[0] = next.subarray(sent);
    }
    // Messages that arrived together with those just answered lie in our buffer, where no event announces them.
    if (this.#handing) return;
    if (this.#filled > 0) this.#takeMessages();
    else this.#await();
  }

  #takesMore(): boolean {
    return this.#open && this.#waiting < QUERIES_AT_ONCE && this.#output.length === 0;
  }

  /** Asks the loop for what can be used now; ends a connection that has nothing left to do. */
  #await(): void {
    if (!this.#open) return;
    const writable = this.#output.length > 0;
    if (this.#ended && !writable && this.#waiting === 0) return this.#close();
    this.#reactor.modify(this.#socket.fd, { readable: !this.#ended && this.#takesMore(), writable });
  }
}
