/** The forwarder with real sockets on the loopback: clients, servers and it on one reactor. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import {
  acceptConnection,
  encodeEndpoint,
  localPort,
  openConnected,
  receive,
  receiveFrom,
  send,
  sendTo,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from "../kernel/datagram.ts";
import { Descriptor } from "../kernel/descriptor.ts";
import { Reactor } from "../kernel/reactor.ts";
import { Resolver } from "./resolver.ts";
import { errorAnswer, idOf, RCODE, rcodeOf, setId } from "./resolver_message.ts";
import { framed, serverAddresses } from "./resolver_upstream.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
/** `host.test`, type A, id 0x1234. */
const QUERY = Uint8Array.of(
  0x12,
  0x34,
  1,
  0,
  0,
  1,
  0,
  0,
  0,
  0,
  0,
  0,
  4,
  104,
  111,
  115,
  116,
  4,
  116,
  101,
  115,
  116,
  0,
  0,
  1,
  0,
  1,
);

let stack: DisposableStack;
let reactor: Reactor;

beforeEach(() => {
  stack = new DisposableStack();
  reactor = stack.use(new Reactor());
});
afterEach(() => stack.dispose());

/** A socket bound to a port of 127.0.0.1 that the kernel chose. */
function bound(type: number): Descriptor {
  const doing = { operation: "open", subject: "a test socket" };
  const socket = stack.use(new Descriptor(check(syscall("socket", 2, type | SOCK_NONBLOCK, 0), doing)));
  const address = encodeEndpoint({ address: LOOPBACK, port: 0 });
  check(syscall("bind", socket.fd, addressOf(address), address.length), doing);
  if (type === SOCK_STREAM) check(syscall("listen", socket.fd, 64), doing);
  return socket;
}

function endpoint(socket: Descriptor): Uint8Array {
  return encodeEndpoint({ address: LOOPBACK, port: localPort(socket.fd) });
}

/** A record-less answer to a query, as from a server: NOERROR. */
function answered(query: Uint8Array): Uint8Array {
  return errorAnswer(query, RCODE.NOERROR);
}

type Reply = (query: Uint8Array) => Uint8Array | null;

/** A server by UDP; what it was asked is in `seen`, from which ports in `ports`. */
function udpServer(reply: Reply): { address: Uint8Array; seen: Uint8Array[]; ports: number[] } {
  const socket = bound(SOCK_DGRAM);
  const seen: Uint8Array[] = [];
  const ports: number[] = [];
  reactor.add(socket.fd, {
    readable() {
      const buffer = new Uint8Array(4096);
      const from = new Uint8Array(16);
      const size = receiveFrom(socket.fd, buffer, from);
      if (size === null || size < 0) return;
      const query = buffer.slice(0, size);
      seen.push(query);
      ports.push((from[2] ?? 0) << 8 | (from[3] ?? 0));
      const answer = reply(query);
      if (answer) sendTo(socket.fd, answer, from);
    },
  });
  return { address: endpoint(socket), seen, ports };
}

/** A server by TCP that answers one query a connection. */
function tcpServer(reply: Reply): { address: Uint8Array } {
  const socket = bound(SOCK_STREAM);
  reactor.add(socket.fd, {
    readable() {
      const connection = stack.use(new Descriptor(acceptConnection(socket.fd) ?? -1));
      reactor.add(connection.fd, {
        readable() {
          const buffer = new Uint8Array(4096);
          const size = receive(connection.fd, buffer);
          if (size === null) return;
          const answer = size > 2 ? reply(buffer.slice(2, size)) : null;
          if (answer) send(connection.fd, framed(answer));
          else reactor.remove(connection.fd);
        },
      });
    },
  });
  return { address: endpoint(socket) };
}

/** An address of this machine where nothing listens. */
function closedAddress(): Uint8Array {
  const socket = bound(SOCK_DGRAM);
  const address = endpoint(socket);
  socket.close();
  return address;
}

/** In milliseconds; a person is given fifteen times as much. */
const PATIENCE = 100;

/** The forwarder, and where it listens. */
function resolver(servers: readonly Uint8Array[]): { udp: Uint8Array; tcp: Uint8Array } {
  const udp = bound(SOCK_DGRAM);
  const tcp = bound(SOCK_STREAM);
  stack.use(new Resolver({ reactor, udp, tcp, servers, patience: PATIENCE }));
  return { udp: endpoint(udp), tcp: endpoint(tcp) };
}

function until(what: string, holds: () => boolean, milliseconds = 6000): void {
  const end = performance.now() + milliseconds;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`${what} did not come to pass`);
    reactor.turn(20);
  }
}

/** A client with a connected socket; `received` has all it was sent: datagrams, or a stream's pieces. */
class Client {
  readonly received: Uint8Array[] = [];
  readonly socket: Descriptor;
  ended = false;

  constructor(kind: "datagram" | "stream", to: Uint8Array) {
    this.socket = stack.use(openConnected(kind, to));
    reactor.add(this.socket.fd, { readable: () => this.#take() });
  }

  #take(): void {
    const buffer = new Uint8Array(70_000);
    const size = receive(this.socket.fd, buffer);
    if (size === null) return;
    if (size > 0) return void this.received.push(buffer.slice(0, size));
    this.ended = true;
    reactor.remove(this.socket.fd);
  }

  ask(message: Uint8Array): void {
    const sent = send(this.socket.fd, message);
    if (sent !== message.length) throw new Error(`the client sent ${sent} of ${message.length} bytes`);
  }

  /** Everything a stream brought. */
  get stream(): Uint8Array {
    return Uint8Array.from(this.received.flatMap((piece) => [...piece]));
  }

  first(): Uint8Array {
    until("an answer", () => this.received.length > 0);
    return this.received[0] as Uint8Array; // it has come
  }
}

function withId(id: number): Uint8Array {
  const query = QUERY.slice();
  setId(query, id);
  return query;
}

test("a query goes on under another id from a port of its own, and the answer comes back under the client's", () => {
  const server = udpServer(answered);
  const client = new Client("datagram", resolver([server.address]).udp);
  for (let id = 1; id <= 20; id++) client.ask(withId(id));
  until("20 answers", () => client.received.length === 20);
  expect(client.received.map(idOf).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  expect(client.received[0]?.subarray(2)).toEqual(answered(QUERY).subarray(2));
  expect(new Set(server.ports).size).toBe(20);
  expect(new Set(server.seen.map(idOf)).size).toBeGreaterThan(15);
  expect(server.seen[0]?.subarray(2)).toEqual(QUERY.subarray(2));
});

test("an answer to another question or with another id is ignored", () => {
  const server = udpServer((query) => {
    const answer = answered(query);
    if (server.seen.length === 1) answer[13] = 120; // xost.test
    else setId(answer, idOf(answer) ^ 1);
    return server.seen.length < 3 ? answer : answered(query);
  });
  const client = new Client("datagram", resolver([server.address]).udp);
  const asked = performance.now();
  client.ask(QUERY);
  expect(rcodeOf(client.first())).toBe(RCODE.NOERROR);
  expect(server.seen).toHaveLength(3);
  expect(performance.now() - asked).toBeGreaterThan(1.9 * PATIENCE);
});

test("a closed port is passed over at once", () => {
  const server = udpServer(answered);
  const client = new Client("datagram", resolver([closedAddress(), server.address]).udp);
  const asked = performance.now();
  client.ask(QUERY);
  expect(rcodeOf(client.first())).toBe(RCODE.NOERROR);
  expect(performance.now() - asked).toBeLessThan(PATIENCE);
});

test("a server that refuses or fails is passed over; its answer stands when there is no better one", () => {
  const refusing = udpServer((query) => errorAnswer(query, RCODE.REFUSED));
  const good = udpServer(answered);
  const client = new Client("datagram", resolver([refusing.address, good.address]).udp);
  client.ask(QUERY);
  expect(rcodeOf(client.first())).toBe(RCODE.NOERROR);
  const other = new Client("datagram", resolver([refusing.address, closedAddress()]).udp);
  other.ask(QUERY);
  expect(rcodeOf(other.first())).toBe(RCODE.REFUSED);
});

test("a silent server costs some patience, and nothing once it has been silent twice", () => {
  const silent = udpServer(() => null);
  const good = udpServer(answered);
  const client = new Client("datagram", resolver([silent.address, good.address]).udp);
  const asked = performance.now();
  client.ask(withId(1));
  client.ask(withId(2));
  until("two answers", () => client.received.length === 2);
  expect(performance.now() - asked).toBeGreaterThan(0.9 * PATIENCE);
  const again = performance.now();
  client.ask(withId(3));
  until("a third", () => client.received.length === 3);
  expect(performance.now() - again).toBeLessThan(PATIENCE);
  expect(silent.seen).toHaveLength(2);
});

test("when nobody can be asked the client is told at once, and without servers too", () => {
  for (const servers of [[closedAddress(), closedAddress()], []]) {
    const client = new Client("datagram", resolver(servers).udp);
    client.ask(QUERY);
    const answer = client.first();
    expect([idOf(answer), rcodeOf(answer)]).toEqual([0x1234, RCODE.SERVFAIL]);
  }
});

test("the 257th query at once is answered with SERVFAIL, and what was on its way goes on", () => {
  const silent = udpServer(() => null);
  const client = new Client("datagram", resolver([silent.address]).udp);
  for (let id = 1; id <= 300; id++) {
    client.ask(withId(id));
    if (id % 50 === 0) reactor.turn(5);
  }
  until("the refusals", () => client.received.length === 44);
  expect(client.received.every((answer) => rcodeOf(answer) === RCODE.SERVFAIL)).toBeTrue();
  expect(Math.min(...client.received.map(idOf))).toBe(257);
  const before = client.received.length;
  until("the end of the rest", () => client.received.length === before + 256);
});

test("an answer that is too long for the client's UDP says so", () => {
  const server = udpServer((query) => Uint8Array.of(...answered(query), ...new Uint8Array(600)));
  const client = new Client("datagram", resolver([server.address]).udp);
  client.ask(QUERY);
  const answer = client.first();
  expect((answer[2] ?? 0) & 2).toBe(2);
  expect(answer).toHaveLength(QUERY.length);
});

test("TCP: queries in one piece are answered, and those of a client that has shut down its side", () => {
  const server = tcpServer((query) => Uint8Array.of(...answered(query), ...new Uint8Array(5000)));
  const client = new Client("stream", resolver([server.address]).tcp);
  until("a connection", () => reactor.turn(50) >= 0);
  client.ask(Uint8Array.from([1, 2, 3, 4].flatMap((id) => [...framed(withId(id))])));
  syscall("shutdown", client.socket.fd, 1);
  until("the end", () => client.ended);
  expect(client.stream).toHaveLength(4 * (2 + QUERY.length + 5000));
});

test("TCP: a length nobody needs, or an answer for a question, ends that connection alone", () => {
  const server = udpServer(answered);
  const { tcp, udp } = resolver([server.address]);
  for (const bytes of [Uint8Array.of(0xff, 0xff, 1), Uint8Array.of(0, 0), framed(answered(QUERY))]) {
    const client = new Client("stream", tcp);
    reactor.turn(50);
    client.ask(bytes);
    until("the end", () => client.ended);
  }
  const client = new Client("datagram", udp);
  client.ask(QUERY);
  expect(rcodeOf(client.first())).toBe(RCODE.NOERROR);
});

test("TCP: a client that asks and does not read is not read from, nor does it cost more than its share", () => {
  let asked = 0;
  const server = tcpServer((query) => {
    asked++;
    return Uint8Array.of(...answered(query), ...new Uint8Array(60_000));
  });
  const { tcp } = resolver([server.address]);
  const socket = stack.use(openConnected("stream", tcp));
  const queries = Uint8Array.from(Array.from({ length: 2000 }, () => [...framed(QUERY)]).flat());
  let quiet = 0;
  let sent = 0;
  for (let turn = 0; quiet < 5 && turn < 10_000; turn++) {
    sent += send(socket.fd, queries) ?? 0;
    quiet = reactor.turn(5) === 0 ? quiet + 1 : 0;
  }
  // Both ends' buffers are full, and the server has been asked for little more than what they hold.
  expect(quiet).toBe(5);
  expect(asked).toBeLessThan(sent / queries.length * 200);
});

test("TCP: the 17th connection is closed, the others are served", () => {
  const server = tcpServer(answered);
  const { tcp } = resolver([server.address]);
  const clients = Array.from({ length: 17 }, () => new Client("stream", tcp));
  until("the refusal", () => clients.some(({ ended }) => ended));
  expect(clients.filter(({ ended }) => ended)).toHaveLength(1);
  const client = clients.find(({ ended }) => !ended);
  client?.ask(framed(QUERY));
  until("an answer", () => (client?.stream.length ?? 0) > 0);
});

test("out of descriptors a query is refused, and a connection waits without keeping the loop busy", () => {
  const { udp, tcp } = resolver([udpServer(answered).address]);
  const client = new Client("datagram", udp);
  const waiting = new Client("stream", tcp);
  const restore = leaveNoDescriptors();
  client.ask(QUERY);
  expect(rcodeOf(client.first())).toBe(RCODE.SERVFAIL);
  let turns = 0;
  for (const end = performance.now() + 150; performance.now() < end; turns++) reactor.turn(20);
  restore();
  expect(turns).toBeLessThan(20);
  waiting.ask(framed(QUERY));
  until("an answer", () => waiting.stream.length > 0);
  client.ask(QUERY);
  until("an answer", () => client.received.length === 2);
  expect(rcodeOf(client.received[1] as Uint8Array)).toBe(RCODE.NOERROR); // it has come
});

/** Lowers this process's limit to the descriptors it has; returns how to raise it again. */
function leaveNoDescriptors(): () => void {
  const RLIMIT_NOFILE = 7; // include/uapi/asm-generic/resource.h
  const limits = new BigUint64Array(2);
  const at = addressOf(new Uint8Array(limits.buffer));
  const doing = { operation: "change", subject: "the limit of open files" };
  check(syscall("prlimit64", 0, RLIMIT_NOFILE, 0, at), doing);
  const [soft = 0n] = limits;
  const lowest = check(syscall("dup", 0), doing);
  syscall("close", lowest);
  limits[0] = BigInt(lowest);
  check(syscall("prlimit64", 0, RLIMIT_NOFILE, at), doing);
  return () => {
    limits[0] = soft;
    check(syscall("prlimit64", 0, RLIMIT_NOFILE, at), doing);
  };
}

test("servers are read as they stand in resolv.conf; what is none is left out", () => {
  const [first, second, ...others] = serverAddresses(["127.0.0.53", "fe80::1%1", "nonsense", "::1%no-such-link"]);
  expect([...(first ?? [])]).toEqual([2, 0, 0, 53, 127, 0, 0, 53, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect([...(second ?? [])].slice(0, 10)).toEqual([10, 0, 0, 53, 0, 0, 0, 0, 0xfe, 0x80]);
  expect(second?.[24]).toBe(1);
  expect(others).toEqual([]);
});
