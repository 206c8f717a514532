/**
 * The host's name servers, and one query to one of them.
 *
 * Every query has a socket of its own, connected to the server: the kernel draws its port at random, drops what
 * others send to it, and reports a closed port at once (RFC 5452, sections 4 and 10).
 */
import { isKernelError } from "../../ffi/errno.ts";
import { addressOf, syscall } from "../../ffi/libc.ts";
import { encodeEndpoint, openConnected, receive, send, socketError } from "../kernel/datagram.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { readText } from "../kernel/files.ts";
import { ipv6Bytes } from "../kernel/ipv6.ts";
import { parseIpv4 } from "../kernel/ipv4.ts";
import type { Reactor } from "../kernel/reactor.ts";
import { idOf, isAnswerTo, setId } from "./resolver_message.ts";

const DNS_PORT = 53;
/** The largest DNS message: TCP's length prefix has 16 bits (RFC 1035, 4.2.2). */
export const MESSAGE_SIZE = 65535;

/** A query from a client, checked: its question ends at `end`. */
export interface Query {
  readonly message: Uint8Array;
  readonly end: number;
}

/** What became of a query at one server. The answer is valid during the call, and has the client's id. */
export interface Outcome {
  answered(answer: Uint8Array): void;
  /** The server cannot be asked: a closed port, no route, a stream that ended. */
  failed(): void;
}

/** A query on its way to one server. */
export interface Attempt extends Disposable {
  /** Sends the same question again, where the first may have been lost. */
  again(): void;
}

/** How a query is brought to a server. */
export type Transport = (server: Uint8Array, query: Query, at: { reactor: Reactor; outcome: Outcome }) => Attempt;

/** Socket addresses of servers written as in resolv.conf; what is no address is left out. */
export function serverAddresses(upstreams: readonly string[], port: number = DNS_PORT): Uint8Array[] {
  const servers: Uint8Array[] = [];
  for (const text of upstreams) {
    try {
      servers.push(serverAddress(text, port));
    } catch (error) {
      // libc skips a line it cannot read, and a link that is not there has no server.
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return servers;
}

function serverAddress(text: string, port: number): Uint8Array {
  if (!text.includes(":")) {
    const address = parseIpv4(text);
    return encodeEndpoint({
      address: Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address),
      port,
    });
  }
  const [address = "", zone] = text.split("%");
  return encodeEndpoint({ address: ipv6Bytes(address), port, scope: zone ? linkIndex(zone) : 0 });
}

/** A zone is a link's index or its name (RFC 4007, 11.2). */
function linkIndex(zone: string): number {
  if (/^\d+$/.test(zone)) return Number(zone);
  if (zone.includes("/")) throw new RangeError(`${JSON.stringify(zone)} is no link's name`);
  try {
    return Number(readText(`/sys/class/net/${zone}/ifindex`));
  } catch (cause) {
    if (!isKernelError(cause)) throw cause;
    throw new RangeError(`${JSON.stringify(zone)} is no link of this host`, { cause });
  }
}

/** Where answers are received, one at a time; they are handed on before the next arrives. */
let scratch: Uint8Array | undefined;

/** By UDP. A datagram that is no answer to this very question is ignored. */
export const askByUdp: Transport = (server, query, { reactor, outcome }) => {
  const message = withFreshId(query.message);
  const socket = openOrNull("datagram", server);
  if (socket === null) return failing(reactor, outcome);
  const { fd } = socket;
  reactor.add(fd, { readable: take });
  function take(): void {
    const buffer = scratch ??= new Uint8Array(MESSAGE_SIZE);
    const size = receive(fd, buffer);
    if (size === null) return;
    // ECONNREFUSED and its like: the errno that an ICMP message left on the socket.
    if (size < 0) return outcome.failed();
    const answer = buffer.subarray(0, size);
    if (isAnswerTo(answer, message, query.end)) deliver(answer, query, outcome);
  }
  // A refusal to send shows as the socket's error, or as silence, which the next try follows.
  send(fd, message);
  return { again: () => void send(fd, message), [Symbol.dispose]: () => close(socket, reactor) };
};

/** By TCP, on a connection of its own: length prefix, message, one answer. */
export const askByTcp: Transport = (server, query, { reactor, outcome }) => {
  const socket = openOrNull("stream", server);
  return socket === null ? failing(reactor, outcome) : new StreamAttempt(socket, query, { reactor, outcome });
};

class StreamAttempt implements Attempt {
  readonly #socket: Descriptor;
  readonly #query: Query;
  readonly #outcome: Outcome;
  readonly #reactor: Reactor;
  readonly #message: Uint8Array;
  /** What is still to be sent, length prefix included. */
  #unsent: Uint8Array;
  #connected = false;
  /** The two octets of the length first, then a buffer of the length they say. */
  #buffer = new Uint8Array(2);
  #filled = 0;
  #length: number | null = null;

  constructor(socket: Descriptor, query: Query, { reactor, outcome }: { reactor: Reactor; outcome: Outcome }) {
    this.#socket = socket;
    this.#query = query;
    this.#outcome = outcome;
    this.#message = withFreshId(query.message);
    this.#unsent = framed(this.#message);
    const handlers = { readable: () => this.#take(), writable: () => this.#push() };
    this.#reactor = reactor;
    reactor.add(socket.fd, handlers, { writable: true });
  }

  /** The stream repeats what is lost by itself. */
  again(): void {}

  [Symbol.dispose](): void {
    close(this.#socket, this.#reactor);
  }

  #push(): void {
    if (!this.#connected && socketError(this.#socket.fd) !== 0) return this.#outcome.failed();
    this.#connected = true;
    if (this.#unsent.length === 0) return;
    const sent = send(this.#socket.fd, this.#unsent);
    if (sent === null) return;
    if (sent < 0) return this.#outcome.failed();
    this.#unsent = this.#unsent.subarray(sent);
    if (this.#unsent.length === 0) this.#reactor.modify(this.#socket.fd, { readable: true });
  }

  #take(): void {
    // A refused connection is reported as readable too; it is the writable side that looks at it.
    if (!this.#connected) return this.#push();
    const size = receive(this.#socket.fd, this.#buffer.subarray(this.#filled));
    if (size === null) return;
    if (size <= 0) return this.#outcome.failed();
    this.#filled += size;
    if (this.#filled < this.#buffer.length) return;
    if (this.#length === null) return this.#expectMessage();
    if (!isAnswerTo(this.#buffer, this.#message, this.#query.end)) return this.#outcome.failed();
    deliver(this.#buffer, this.#query, this.#outcome);
  }

  #expectMessage(): void {
    const [high = 0, low = 0] = this.#buffer;
    this.#length = high << 8 | low;
    if (this.#length === 0) return this.#outcome.failed();
    this.#buffer = new Uint8Array(this.#length);
    this.#filled = 0;
  }
}

/** A message with the two octets of its length before it, as streams carry it (RFC 1035, 4.2.2). */
export function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(2 + message.length);
  frame[0] = message.length >> 8;
  frame[1] = message.length & 255;
  frame.set(message, 2);
  return frame;
}

function deliver(answer: Uint8Array, query: Query, outcome: Outcome): void {
  setId(answer, idOf(query.message));
  outcome.answered(answer);
}

/** An id that the client did not choose, from the kernel's random numbers. */
function withFreshId(message: Uint8Array): Uint8Array {
  const copy = message.slice();
  syscall("getrandom", addressOf(copy), 2, 0);
  return copy;
}

/** A socket, or null where the kernel gives none: no route, no descriptor left. */
function openOrNull(kind: "datagram" | "stream", server: Uint8Array): Descriptor | null {
  try {
    return openConnected(kind, server);
  } catch (error) {
    if (isKernelError(error)) return null;
    throw error;
  }
}

/** An attempt that fails, yet not before its maker has it in hand. */
function failing(reactor: Reactor, outcome: Outcome): Attempt {
  const timer = reactor.timer(0, () => outcome.failed());
  return { again() {}, [Symbol.dispose]: () => timer.cancel() };
}

function close(socket: Descriptor, reactor: Reactor): void {
  reactor.remove(socket.fd);
  socket.close();
}
