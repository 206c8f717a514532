/**
 * The name server at 127.0.0.11: a forwarder, and no more.
 *
 * Its sockets were opened in the container's namespace and answer there; every query goes on from the namespace
 * of this process, the host's, to the servers the host itself asks. So a resolver on the host's loopback, its
 * split DNS and its VPN domains work in the container as on the host. Nothing is cached: the host's resolver does.
 *
 * The client is hostile. What it can take is bounded: {@link IN_FLIGHT} queries on their way (each a descriptor and
 * some hundred bytes), {@link CONNECTIONS} connections (see resolver_connection.ts), {@link BURST} datagrams before
 * the loop turns to others. Nothing it sends throws.
 */
import { errnoNumber } from "../../ffi/errno.ts";
import { acceptConnection, receiveFrom, sendTo, SOCKADDR_IN_SIZE } from "../kernel/datagram.ts";
import { Descriptor } from "../kernel/descriptor.ts";
import { Connection } from "./resolver_connection.ts";
import { Exchange, Servers } from "./resolver_exchange.ts";
import type { Reactor, Timer } from "../kernel/reactor.ts";
import { errorAnswer, fitAnswer, judgeQuery, RCODE, udpSizeOf } from "./resolver_message.ts";
import type { ResolverSockets } from "./resolver_sockets.ts";
import { askByTcp, askByUdp, MESSAGE_SIZE, type Transport } from "./resolver_upstream.ts";

/** Queries on their way at once; more are answered with SERVFAIL. */
const IN_FLIGHT = 256;
/** Connections at once; more are closed as they come. */
const CONNECTIONS = 16;
/** Datagrams or connections taken in one turn of the loop. */
const BURST = 32;
/** Milliseconds for which no connection is accepted once the process has run out of descriptors. */
const PAUSE = 100;

/** What a {@link Resolver} is made from. */
export interface ResolverOptions extends Pick<ResolverSockets, "udp" | "tcp"> {
  readonly reactor: Reactor;
  /** Socket addresses of the host's servers, in order of preference: see `serverAddresses`. */
  readonly servers: readonly Uint8Array[];
  /** Asked at each query: other servers from now on, `undefined` while they are the same. */
  readonly follow?: () => readonly Uint8Array[] | undefined;
  /** Milliseconds until the next server is asked; for tests. */
  readonly patience?: number;
}

/** A name server that begins to serve when it is given a reactor; what was asked before waits in its sockets. */
export interface ResolverService extends Disposable {
  attach(reactor: Reactor): void;
}

/** The name server of a container whose supervisor has no reactor yet. Disposing closes the sockets in any case. */
export function resolverService(options: Omit<ResolverOptions, "reactor">): ResolverService {
  let resolver: Resolver | undefined;
  return {
    attach: (reactor) => void (resolver = new Resolver({ ...options, reactor })),
    [Symbol.dispose]() {
      if (resolver) return resolver[Symbol.dispose]();
      options.udp.close();
      options.tcp.close();
    },
  };
}

/**
 * Serves until it is disposed, and owns its sockets. It must be disposed when the container has ended: a socket keeps its namespace,
 * and with it the container's links, alive.
 */
export class Resolver implements Disposable {
  readonly #options: ResolverOptions;
  #servers: Servers;
  readonly #exchanges = new Set<Exchange>();
  readonly #connections = new Set<Connection>();
  readonly #buffer = new Uint8Array(MESSAGE_SIZE);
  #pause: Timer | null = null;

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#servers = new Servers(options.servers);
    const { reactor, udp, tcp } = options;
    reactor.add(udp.fd, { readable: () => this.#receive() });
    reactor.add(tcp.fd, { readable: () => this.#accept() });
  }

  /** Closes all its sockets; queries on their way are not answered. */
  [Symbol.dispose](): void {
    this.#pause?.cancel();
    for (const exchange of this.#exchanges) exchange[Symbol.dispose]();
    this.#exchanges.clear();
    for (const connection of this.#connections) connection[Symbol.dispose]();
    this.#connections.clear();
    for (const socket of [this.#options.udp, this.#options.tcp]) {
      this.#options.reactor.remove(socket.fd);
      socket.close();
    }
  }

  #receive(): void {
    for (let taken = 0; taken < BURST; taken++) {
      const client = new Uint8Array(SOCKADDR_IN_SIZE); // the socket is 127.0.0.11's
      const size = receiveFrom(this.#options.udp.fd, this.#buffer, client);
      // An error here is about one datagram (a lack of memory, say); its client asks again.
      if (size === null || size < 0) return;
      this.#datagram(this.#buffer.slice(0, size), client);
    }
  }

  #datagram(message: Uint8Array, client: Uint8Array): void {
    this.#query(message, askByUdp, (answer, end) => {
      // Where the answer cannot be sent the client has left, or has closed its own way; it asks again.
      sendTo(this.#options.udp.fd, fitAnswer(answer, end === null ? MESSAGE_SIZE : udpSizeOf(message, end)), client);
    });
  }

  /** Judges a message and has it answered; false where it is none to answer. `end`: where its question ends. */
  #query(message: Uint8Array, transport: Transport, answer: (answer: Uint8Array, end: number | null) => void): boolean {
    const verdict = judgeQuery(message);
    if (verdict.kind === "drop") return false;
    if (verdict.kind === "refuse" || this.#exchanges.size >= IN_FLIGHT) {
      answer(errorAnswer(message, verdict.kind === "refuse" ? verdict.rcode : RCODE.SERVFAIL), null);
      return true;
    }
    const others = this.#options.follow?.();
    if (others) this.#servers = new Servers(others);
    const exchange = new Exchange({ message, end: verdict.end }, {
      reactor: this.#options.reactor,
      servers: this.#servers,
      patience: this.#options.patience,
      transport,
      settle: (bytes) => {
        this.#exchanges.delete(exchange);
        answer(bytes, verdict.end);
      },
    });
    this.#exchanges.add(exchange);
    exchange.start();
    return true;
  }

  #accept(): void {
    for (let taken = 0; taken < BURST; taken++) {
      const fd = acceptConnection(this.#options.tcp.fd);
      if (fd === null) return;
      if (fd < 0) return this.#refused(-fd);
      if (this.#connections.size >= CONNECTIONS) new Descriptor(fd).close();
      else {this.#connections.add(
          new Connection(new Descriptor(fd), { reactor: this.#options.reactor, owner: this.#owner }),
        );}
    }
  }

  /** Out of descriptors the connection stays in the queue, and its news with it: looking away is all there is. */
  #refused(errno: number): void {
    if (errno === errnoNumber("ECONNABORTED")) return;
    const { reactor, tcp } = this.#options;
    reactor.modify(tcp.fd, {});
    this.#pause = reactor.timer(PAUSE, () => reactor.modify(tcp.fd, { readable: true }));
  }

  readonly #owner = {
    query: (message: Uint8Array, answer: (answer: Uint8Array) => void) => this.#query(message, askByTcp, answer),
    closed: (connection: Connection) => void this.#connections.delete(connection),
  };
}
