/**
 * A netlink socket: requests out, acknowledgements, answers and notifications in. netlink(7).
 *
 * The kernel works on requests inside sendto(2), so their answers are there when it returns; nothing here
 * needs an event loop. A socket stays in the network namespace where it was opened, wherever its process goes.
 */
import { errnoNumber, isKernelError, KernelError } from "../../../ffi/errno.ts";
import { addressOf, check, syscall } from "../../../ffi/libc.ts";
import type { FieldTable } from "../../../ffi/struct.ts";
import { struct } from "../../../ffi/struct.ts";
import { trace, tracing } from "../trace.ts";
import { AttributeWriter } from "./attributes.ts";
import {
  type Acknowledgement,
  type Message,
  messageText,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  type Query,
  type RawMessage,
  readAcknowledgement,
  readMessage,
  type Request,
  splitMessages,
  writeMessage,
} from "./message.ts";
import type { AttributeTable } from "./schema.ts";

// include/linux/socket.h, include/uapi/asm-generic/socket.h
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;

// include/uapi/linux/netlink.h
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

const SOCKADDR_NL = struct("sockaddr_nl", { family: "u16", pad: "u16", pid: "u32", groups: "u32" });

/** A dump's datagram is at most this big, unless a single object is bigger (af_netlink.c: netlink_dump). */
const RECEIVE_SIZE = 32 * 1024;
/** Memory for notifications that wait: some thousand. */
const NOTIFICATION_MEMORY = 4 * 1024 * 1024;
/** The kernel answers at once; this bounds the wait should it ever not. */
const ANSWER_SECONDS = 5n;
/** So many acknowledgements fit into a socket's default receive buffer (about 270 do). */
const REQUESTS_PER_SEND = 100;
/** How often a dump is repeated that changed while it was read. */
const MAX_REPEATS = 20;
/** How many datagrams one answer can take: 2 GiB of them. */
const MAX_DATAGRAMS = 65536;

const OPENING = { operation: "open", subject: "a netlink socket" };
const OPENING_NETFILTER = { operation: "open", subject: "a netfilter socket" };

/** The kernel refused one of several requests. */
export class NetlinkError extends KernelError {
  /** Which request of those given was refused; of several, the first. */
  readonly failedIndex: number;
  /** For each request: the errno it met, 0 where it was done, `undefined` where it was not tried or not told. */
  readonly outcomes: readonly (number | undefined)[];

  constructor(
    refusal: ConstructorParameters<typeof KernelError>[0],
    { failedIndex, outcomes }: { failedIndex: number; outcomes: readonly (number | undefined)[] },
  ) {
    super(refusal);
    this.failedIndex = failedIndex;
    this.outcomes = outcomes;
  }
}

/** What one receive brought: a datagram's messages, or why there are none. */
type Received = readonly RawMessage[] | "nothing" | "lost";

const RECEIVING = { operation: "receive from", subject: "a netlink socket" };

/** Whether an error says that an answer could not be read: then nobody knows whether what was asked for was done. */
export function isAnswerLost(error: unknown): boolean {
  return isKernelError(error) && error.operation === RECEIVING.operation;
}

/** A netlink socket of one protocol in one network namespace. */
export class NetlinkSocket implements Disposable {
  /** For a poll loop: readable when a notification waits. */
  readonly fd: number;
  readonly #writer: AttributeWriter;
  readonly #tracing: boolean;
  readonly #source = new Uint8Array(SOCKADDR_NL.size + 4);
  #buffer = new Uint8Array(RECEIVE_SIZE);
  #sequence = 0;

  private constructor(fd: number, protocol: number) {
    this.fd = fd;
    this.#writer = new AttributeWriter({ flagNested: protocol !== NETLINK_ROUTE });
    this.#tracing = tracing(protocol === NETLINK_NETFILTER ? "nft" : "netlink");
  }

  /** Opens a socket in the current network namespace. */
  static open(protocol: number): NetlinkSocket {
    const doing = protocol === NETLINK_NETFILTER ? OPENING_NETFILTER : OPENING;
    const fd = check(syscall("socket", AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), doing);
    return NetlinkSocket.adopt(fd, protocol);
  }

  /** Takes over a socket that was opened elsewhere, such as in another network namespace, and closes it in the end. */
  static adopt(fd: number, protocol: number): NetlinkSocket {
    const socket = new NetlinkSocket(fd, protocol);
    try {
      socket.#set(SOL_NETLINK, NETLINK_EXT_ACK, 1);
      socket.#set(SOL_NETLINK, NETLINK_CAP_ACK, 1);
      // Without it the kernel ignores a dump's filters, and what else it does not understand.
      socket.#set(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
      const timeout = new BigInt64Array([ANSWER_SECONDS, 0n]);
      socket.#setBytes(SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(timeout.buffer));
      return socket;
    } catch (error) {
      socket[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Sends requests, all of them at once, and waits until each is acknowledged. Does nothing for none.
   *
   * The kernel does them in order and *goes on after a refused one*: throws the {@link NetlinkError} of the
   * first refused, whose `outcomes` tell what became of each. More than 100 are sent in several portions, of
   * which none is sent after a refusal.
   */
  transact(requests: readonly Request[]): void {
    const outcomes = new Array<number | undefined>(requests.length);
    for (let start = 0; start < requests.length; start += REQUESTS_PER_SEND) {
      this.#send(requests, { start, end: Math.min(start + REQUESTS_PER_SEND, requests.length), outcomes });
    }
  }

  #send(
    requests: readonly Request[],
    { start, end, outcomes }: { start: number; end: number; outcomes: (number | undefined)[] },
  ): void {
    const writer = this.#writer;
    const first = this.#sequence + 1;
    let waiting = end - start;
    writer.reset();
    const offsets: number[] = [];
    for (let i = start; i < end; i++) {
      const request = requests[i] as Request; // i < end <= requests.length
      offsets.push(writer.length);
      if (this.#tracing) this.#traceRequest(request);
      writeMessage(writer, request, { sequence: ++this.#sequence, flags: NLM_F_ACK });
    }
    this.#sendBytes(requests[start] as Request);
    let refused: { index: number; said: Acknowledgement } | undefined;
    for (let i = 0; waiting > 0 && i < MAX_DATAGRAMS; i++) {
      for (const message of this.#answers(requests[start] as Request)) {
        const index = start + message.sequence - first;
        if (message.type !== NLMSG_ERROR || index < start || index >= end) continue;
        const said = readAcknowledgement(message);
        const request = requests[index] as Request; // start <= index < end
        if (this.#tracing) this.#traceAnswer(request, said);
        if (outcomes[index] === undefined) waiting--;
        outcomes[index] = said.errno;
        if (said.errno !== 0 && (refused === undefined || index < refused.index)) refused = { index, said };
      }
    }
    if (refused === undefined) return;
    const request = requests[refused.index] as Request; // an index checked above
    const offset = offsets[refused.index - start] as number;
    throw new NetlinkError(
      refusal(request, refused.said, writer.bytes.subarray(offset)),
      { failedIndex: refused.index, outcomes },
    );
  }

  /** Asks for one object. Throws the {@link KernelError} of the refusal (ENODEV, ENOENT: there is none). */
  get<Fields extends FieldTable, Table extends AttributeTable>(query: Query<Fields, Table>): Message<Fields, Table> {
    for (let i = 0; i < MAX_REPEATS; i++) {
      const sequence = this.#ask(query, 0);
      const message = this.#awaitAnswer(query, sequence);
      if (message !== undefined) return this.#read(query, message);
    }
    throw new KernelError({ ...query, errno: errnoNumber("ENOBUFS") });
  }

  /** The answer to a query; `undefined` where it was lost. */
  #awaitAnswer(query: Request, sequence: number): RawMessage | undefined {
    for (let i = 0; i < MAX_DATAGRAMS; i++) {
      const received = this.#receive(0);
      if (received === "lost") return undefined;
      if (received === "nothing") throw noAnswer(query);
      for (const message of received) {
        if (message.sequence !== sequence) continue;
        if (message.type !== NLMSG_ERROR) return message;
        const said = readAcknowledgement(message);
        if (said.errno !== 0) throw new KernelError(refusal(query, said, this.#writer.bytes));
      }
    }
    throw noAnswer(query);
  }

  /**
   * Asks for all objects that match. A dump that changed while it was read (NLM_F_DUMP_INTR) or lost a part is
   * repeated; throws the {@link KernelError} EAGAIN where it keeps changing.
   */
  dump<Fields extends FieldTable, Table extends AttributeTable>(
    query: Query<Fields, Table>,
  ): Message<Fields, Table>[] {
    for (let i = 0; i < MAX_REPEATS; i++) {
      const sequence = this.#ask(query, NLM_F_DUMP);
      const parts = this.#collect(query, sequence);
      if (parts !== undefined) return parts.map((message) => this.#read(query, message));
    }
    throw keptChanging(query);
  }

  /** As {@link dump}, for who reads the messages himself. */
  dumpRaw(query: Request): readonly RawMessage[] {
    for (let i = 0; i < MAX_REPEATS; i++) {
      const parts = this.#collect(query, this.#ask(query, NLM_F_DUMP));
      if (parts !== undefined) return parts;
    }
    throw keptChanging(query);
  }

  /**
   * All messages of a dump up to its end; `undefined` where it must be repeated. It is read to its end in any
   * case: the kernel refuses a second dump on a socket whose first is not done (EBUSY).
   */
  #collect(query: Request, sequence: number): RawMessage[] | undefined {
    const parts: RawMessage[] = [];
    let spoiled = false;
    for (let i = 0; i < MAX_DATAGRAMS; i++) {
      const received = this.#receive(0);
      if (received === "nothing") throw noAnswer(query);
      if (received === "lost") {
        spoiled = true;
        continue;
      }
      for (const message of received) {
        if (message.sequence !== sequence || message.type === NLMSG_NOOP) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) spoiled = true;
        if (message.type !== NLMSG_DONE && message.type !== NLMSG_ERROR) {
          parts.push(message);
          continue;
        }
        const said = readAcknowledgement(message);
        if (said.errno !== 0) throw new KernelError(refusal(query, said, this.#writer.bytes));
        return spoiled ? undefined : parts;
      }
    }
    throw noAnswer(query);
  }

  /** From here on {@link receive} hears of these groups (RTNLGRP_*: numbers, not bits). */
  subscribe(groups: readonly number[]): void {
    // A socket without a port of its own hears nothing. One that has sent something has one (EINVAL).
    const bound = syscall("bind", this.fd, addressOf(SOCKADDR_NL.encode({ family: AF_NETLINK })), SOCKADDR_NL.size);
    if (bound !== -errnoNumber("EINVAL")) check(bound, { operation: "bind", subject: "a netlink socket" });
    this.#set(SOL_SOCKET, SO_RCVBUFFORCE, NOTIFICATION_MEMORY);
    for (const group of groups) this.#set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }

  /**
   * The notifications of one datagram, without waiting: empty where none is there. Their bytes are their own.
   * Throws the {@link KernelError} ENOBUFS where some were lost: what they told must be asked for afresh.
   */
  receive(): readonly RawMessage[] {
    const received = this.#receive(MSG_DONTWAIT);
    if (received === "nothing") return [];
    if (received !== "lost") return received;
    throw new KernelError({
      operation: "receive",
      subject: "netlink notifications",
      errno: errnoNumber("ENOBUFS"),
      kernelText: "some were lost",
    });
  }

  [Symbol.dispose](): void {
    syscall("close", this.fd);
  }

  #ask(query: Request, flags: number): number {
    const sequence = ++this.#sequence;
    this.#writer.reset();
    if (this.#tracing) this.#traceRequest(query);
    writeMessage(this.#writer, query, { sequence, flags });
    this.#sendBytes(query);
    return sequence;
  }

  #sendBytes(request: Request): void {
    const bytes = this.#writer.bytes;
    for (let i = 0; i < MAX_REPEATS; i++) {
      const sent = syscall("sendto", this.fd, addressOf(bytes), bytes.length);
      if (sent === -errnoNumber("EINTR")) continue;
      check(sent, request);
      return;
    }
    throw new KernelError({ ...request, errno: errnoNumber("EINTR") });
  }

  #answers(request: Request): readonly RawMessage[] {
    const received = this.#receive(0);
    if (received === "nothing") throw noAnswer(request);
    // The requests were worked on, but what became of them is not known.
    if (received === "lost") throw new KernelError({ ...request, errno: errnoNumber("ENOBUFS") });
    return received;
  }

  /** One datagram from the kernel, copied out of the buffer. */
  #receive(flags: number): Received {
    for (let i = 0; i < MAX_DATAGRAMS; i++) {
      this.#source[SOCKADDR_NL.size] = SOCKADDR_NL.size; // a socklen_t, of which the other bytes are zero
      const address = addressOf(this.#source);
      const room = this.#buffer.length;
      const into = addressOf(this.#buffer);
      const size = syscall("recvfrom", this.fd, into, room, MSG_TRUNC | flags, address, address + SOCKADDR_NL.size);
      if (size === -errnoNumber("EINTR")) continue;
      if (size === -errnoNumber("EAGAIN")) return "nothing";
      if (size === -errnoNumber("ENOBUFS")) return "lost";
      check(size, RECEIVING);
      // Anyone with CAP_NET_ADMIN in the namespace, a container's root too, can write to this socket.
      if (SOCKADDR_NL.decode(this.#source).pid !== 0) continue;
      if (size <= room) return splitMessages(this.#buffer.slice(0, size));
      this.#buffer = new Uint8Array(2 * size);
      return "lost";
    }
    return "nothing";
  }

  #read<Fields extends FieldTable, Table extends AttributeTable>(
    { reply }: Query<Fields, Table>,
    message: RawMessage,
  ): Message<Fields, Table> {
    const decoded = readMessage(reply, message, { keepUnknown: this.#tracing });
    if (this.#tracing) {
      trace("netlink", `< ${reply.name} ${messageText(reply, decoded)}`);
    }
    return decoded;
  }

  #traceRequest(request: Request): void {
    trace("netlink", `> ${request.name} ${request.text()}`);
  }

  #traceAnswer(request: Request, { errno, text }: Acknowledgement): void {
    trace("netlink", `< ${request.name} ${errno === 0 ? "done" : `errno ${errno}`}${text ? `: ${text}` : ""}`);
  }

  #set(level: number, option: number, value: number): void {
    this.#setBytes(level, option, new Uint8Array(Int32Array.of(value).buffer));
  }

  #setBytes(level: number, option: number, value: Uint8Array): void {
    check(syscall("setsockopt", this.fd, level, option, addressOf(value), value.length), {
      operation: `set option ${option} of`,
      subject: "a netlink socket",
    });
  }
}

function refusal(request: Request, said: Acknowledgement, message: Uint8Array) {
  const { operation, subject } = request;
  return { operation, subject, errno: said.errno, kernelText: kernelText(request, said, message) };
}

/** The kernel's sentence with the attribute it is about. */
function kernelText(request: Request, { text, offset, missing }: Acknowledgement, message: Uint8Array) {
  let attribute = offset === undefined ? undefined : request.attributeAt?.(message, offset);
  if (attribute === undefined && missing !== undefined) attribute = `attribute ${missing} is missing`;
  if (attribute === undefined) return text;
  return text === undefined ? attribute : `${text} (${attribute})`;
}

function keptChanging(query: Request): KernelError {
  const kernelText = "it kept changing while it was read";
  return new KernelError({ ...query, errno: errnoNumber("EAGAIN"), kernelText });
}

function noAnswer(request: Request): KernelError {
  return new KernelError({ ...request, errno: errnoNumber("ETIMEDOUT"), kernelText: "the kernel did not answer" });
}
