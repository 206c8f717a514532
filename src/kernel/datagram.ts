/**
 * IPv4 and IPv6 sockets, never blocking: what a server of names needs of UDP and TCP.
 *
 * Source: socket(2), udp(7), tcp(7), ip(7), ipv6(7); include/uapi/linux/in.h, in6.h and bits/socket.h.
 */
import { errnoNumber } from "../../ffi/errno.ts";
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import { struct } from "../../ffi/struct.ts";
import { Descriptor } from "./descriptor.ts";

const AF_INET = 2;
const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SO_ERROR = 4;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

const EAGAIN = errnoNumber("EAGAIN");
const EINTR = errnoNumber("EINTR");
const EINPROGRESS = errnoNumber("EINPROGRESS");

const SOCKADDR_IN = struct("sockaddr_in", {
  sin_family: "u16",
  sin_port: "be16",
  sin_addr: { bytes: 4 },
  sin_zero: { bytes: 8 },
});
const SOCKADDR_IN6 = struct("sockaddr_in6", {
  sin6_family: "u16",
  sin6_port: "be16",
  sin6_flowinfo: "be32",
  sin6_addr: { bytes: 16 },
  sin6_scope_id: "u32",
});

/** Bytes of an IPv4 endpoint. */
export const SOCKADDR_IN_SIZE = SOCKADDR_IN.size;

/** An address and a port; `scope` is a link's index, for IPv6 link-local addresses. */
export interface Endpoint {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** 0 to 65535; 0 lets the kernel choose. */
  readonly port: number;
  readonly scope?: number;
}

/** An endpoint as the kernel takes it (struct sockaddr_in or sockaddr_in6). */
export function encodeEndpoint({ address, port, scope = 0 }: Endpoint): Uint8Array {
  return address.length === 4
    ? SOCKADDR_IN.encode({ sin_family: AF_INET, sin_port: port, sin_addr: address })
    : SOCKADDR_IN6.encode({ sin6_family: AF_INET6, sin6_port: port, sin6_addr: address, sin6_scope_id: scope });
}

/** What a non-blocking call came to: bytes moved, `null` for "not now", or the errno of an error, negative. */
export type Moved = number | null;

function moved(result: number): Moved {
  return result === -EAGAIN || result === -EINTR ? null : result;
}

/** Opens a socket of this process's namespace, connected to (or, for a stream, connecting to) `to`. */
export function openConnected(kind: "datagram" | "stream", to: Uint8Array): Descriptor {
  const doing = { operation: "open", subject: `a ${kind} socket` };
  const type = (kind === "datagram" ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const family = to.length === SOCKADDR_IN.size ? AF_INET : AF_INET6;
  const socket = new Descriptor(check(syscall("socket", family, type, 0), doing));
  const result = syscall("connect", socket.fd, addressOf(to), to.length);
  if (result !== 0 && result !== -EINPROGRESS) {
    socket.close();
    check(result, { operation: "connect", subject: `a ${kind} socket` });
  }
  return socket;
}

/** Takes one datagram; who sent it is written to `from`, which has room for its family. */
export function receiveFrom(fd: number, buffer: Uint8Array, from: Uint8Array): Moved {
  const size = Uint32Array.of(from.length);
  const sizeAt = addressOf(new Uint8Array(size.buffer));
  return moved(syscall("recvfrom", fd, addressOf(buffer), buffer.length, MSG_DONTWAIT, addressOf(from), sizeAt));
}

/** Takes what a connected socket has, at most the buffer's size; 0 is a stream's end. */
export function receive(fd: number, buffer: Uint8Array): Moved {
  return moved(syscall("recvfrom", fd, addressOf(buffer), buffer.length, MSG_DONTWAIT));
}

/** Sends one datagram to the socket address `to`. */
export function sendTo(fd: number, message: Uint8Array, to: Uint8Array): Moved {
  return moved(
    syscall("sendto", fd, addressOf(message), message.length, MSG_DONTWAIT | MSG_NOSIGNAL, addressOf(to), to.length),
  );
}

/** Sends to a connected socket: a datagram, or as much of a stream as fits into the kernel's buffer. */
export function send(fd: number, message: Uint8Array): Moved {
  return moved(syscall("sendto", fd, addressOf(message), message.length, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/** Takes the next connection of a listening socket: its descriptor, non-blocking, closed on exec. */
export function acceptConnection(fd: number): Moved {
  return moved(syscall("accept4", fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

/** A socket's pending error, 0 for none; how a connect that was in progress ended. Reading it clears it. */
export function socketError(fd: number): number {
  const value = new Int32Array(1);
  const size = Uint32Array.of(4);
  const at = addressOf(new Uint8Array(value.buffer));
  const result = syscall("getsockopt", fd, SOL_SOCKET, SO_ERROR, at, addressOf(new Uint8Array(size.buffer)));
  return result < 0 ? -result : (value[0] ?? 0);
}

/** The port an IPv4 socket is bound to. */
export function localPort(fd: number): number {
  const address = new Uint8Array(SOCKADDR_IN.size);
  const size = new Uint8Array(Uint32Array.of(address.length).buffer);
  check(syscall("getsockname", fd, addressOf(address), addressOf(size)), {
    operation: "read the address of",
    subject: `descriptor ${fd}`,
  });
  return SOCKADDR_IN.decode(address).sin_port;
}

/** How many bytes (the kernel's own for each datagram counted) may wait to be received. */
export function setReceiveMemory(fd: number, bytes: number): void {
  const value = Int32Array.of(bytes);
  check(syscall("setsockopt", fd, SOL_SOCKET, SO_RCVBUFFORCE, addressOf(new Uint8Array(value.buffer)), 4), {
    operation: "set the receive memory of",
    subject: "a socket",
  });
}
