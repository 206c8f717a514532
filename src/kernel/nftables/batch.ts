/**
 * A batch: operations that happen all together or not at all. Source: net/netfilter/nfnetlink.c
 * (nfnetlink_rcv_batch); the kernel does the whole of it inside sendto(2), and its answers are there afterwards.
 */
import { type ErrnoName, errnoNumber, errnoText, KernelError, type Refusal } from "../../../ffi/errno.ts";
import { addressOf, check, syscall } from "../../../ffi/libc.ts";
import { AttributeWriter } from "../netlink/attributes.ts";
import { NLM_F_ACK, NLMSG_ERROR, readAcknowledgement, type Request, writeMessage } from "../netlink/message.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { trace, tracing } from "../trace.ts";
import { expressionsText } from "./expression.ts";
import { batchFrame, operationMessages } from "./message.ts";
import { describeOperation, type NftOperation } from "./operation.ts";

// include/uapi/asm-generic/socket.h
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;

/** Somebody else's change came in between, or the kernel loaded a module: the batch is to be sent again. */
const CLASHES: readonly ErrnoName[] = ["EAGAIN", "ERESTART", "EINTR"];
const MAX_TRIES = 20;
/** The answers to one batch: an error per message at most, in datagrams of their own. */
const MAX_ANSWERS = 65536;

/** The kernel refused one operation of a batch, and so all of it. */
export class BatchError extends KernelError {
  /** Which operation of those given; `undefined` where the kernel refused the batch as such. */
  readonly failedIndex: number | undefined;

  constructor(refusal: Refusal, failedIndex: number | undefined) {
    super(refusal);
    this.failedIndex = failedIndex;
  }
}

/**
 * Does all the operations, in order and atomically. Nothing is done for none.
 * Throws the {@link BatchError} of the first operation that is refused: ENOENT for a table, set or element
 * that is not there, EEXIST for one to `create` that is, EPERM without CAP_NET_ADMIN, EOPNOTSUPP on a kernel
 * without nf_tables or with an expression it does not have. Throws a RangeError for a value not of its set's type.
 */
export function sendBatch(socket: NetlinkSocket, operations: readonly NftOperation[]): void {
  if (operations.length === 0) return;
  const traced = tracing("nft");
  if (traced) traceOperations(operations);
  const batch = encodeBatch(operations, nextSequences);
  let refusal: BatchRefusal | undefined;
  for (let i = 0; i < MAX_TRIES; i++) {
    sendWhole(socket, batch.bytes);
    refusal = answerOf(socket, batch);
    if (traced) traceAnswer(refusal);
    if (refusal === undefined) return;
    const { errno } = refusal;
    if (!CLASHES.some((name) => errnoNumber(name) === errno)) break;
  }
  if (refusal) throw batchError(operations, refusal);
}

/** One batch as bytes, and which operation each of its messages (by sequence number) belongs to. */
interface EncodedBatch {
  readonly bytes: Uint8Array;
  /** Sequence number of the message that begins the batch; the others follow one by one. */
  readonly first: number;
  /** Index of the operation of message `first + 1 + i`. */
  readonly operationOf: readonly number[];
}

/**
 * The bytes of a batch. Only the last operation asks for an acknowledgement: one for each would overflow the
 * socket's receive buffer at some hundred of them, and refusals are told without being asked for.
 */
export function encodeBatch(operations: readonly NftOperation[], sequences: (count: number) => number): EncodedBatch {
  const requests: Request[] = [batchFrame("BEGIN")];
  const operationOf: number[] = [];
  for (let index = 0; index < operations.length; index++) {
    for (const message of operationMessages(operations[index] as NftOperation, index + 1)) {
      requests.push(message);
      operationOf.push(index);
    }
  }
  const last = requests.length - 1;
  requests.push(batchFrame("END"));
  const first = sequences(requests.length);
  const writer = new AttributeWriter();
  for (let i = 0; i < requests.length; i++) {
    writeMessage(writer, requests[i] as Request, { sequence: first + i, flags: i === last ? NLM_F_ACK : 0 });
  }
  return { bytes: writer.bytes, first, operationOf };
}

/** Far from the numbers that the socket itself counts for its queries. */
let sequence = 0x40000000;

function nextSequences(count: number): number {
  const first = sequence;
  sequence = (sequence + count) % 0x40000000 + 0x40000000;
  return first;
}

/** Sends the batch in one piece, with a larger send buffer where it does not fit (EMSGSIZE). */
function sendWhole(socket: NetlinkSocket, bytes: Uint8Array): void {
  const doing = { operation: "send", subject: `a batch of ${bytes.length} bytes to nf_tables` };
  for (let i = 0; i < MAX_TRIES; i++) {
    const sent = syscall("sendto", socket.fd, addressOf(bytes), bytes.length);
    if (sent === -errnoNumber("EINTR")) continue;
    if (sent === -errnoNumber("EMSGSIZE") && i === 0) {
      const size = new Uint8Array(Int32Array.of(2 * bytes.length).buffer);
      check(syscall("setsockopt", socket.fd, SOL_SOCKET, SO_SNDBUFFORCE, addressOf(size), size.length), doing);
      continue;
    }
    check(sent, doing);
    return;
  }
  throw new KernelError({ ...doing, errno: errnoNumber("EINTR") });
}

interface BatchRefusal {
  readonly errno: number;
  readonly kernelText: string | undefined;
  readonly index: number | undefined;
}

/**
 * Reads all answers: the refusal of the earliest message, or `undefined` where the acknowledgement came.
 * After one refusal the kernel goes on to look for others, so later ones may only follow from the first.
 */
function answerOf(socket: NetlinkSocket, batch: EncodedBatch): BatchRefusal | undefined {
  let earliest = Infinity;
  let refusal: BatchRefusal | undefined;
  let acknowledged = false;
  for (let i = 0; i < MAX_ANSWERS; i++) {
    const messages = socket.receive();
    if (messages.length === 0) break;
    for (const message of messages) {
      const at = message.sequence - batch.first;
      if (message.type !== NLMSG_ERROR || at < 0 || at > batch.operationOf.length) continue;
      const said = readAcknowledgement(message);
      if (said.errno === 0) acknowledged = true;
      else if (at < earliest) {
        earliest = at;
        refusal = { errno: said.errno, kernelText: said.text, index: batch.operationOf[at - 1] };
      }
    }
  }
  if (refusal || acknowledged) return refusal;
  return { errno: errnoNumber("ENODATA"), kernelText: "the kernel did not answer", index: undefined };
}

function batchError(operations: readonly NftOperation[], { errno, kernelText, index }: BatchRefusal): BatchError {
  const operation = index === undefined ? undefined : operations[index];
  const doing = operation ? describeOperation(operation) : { operation: "change", subject: "the nftables rule set" };
  return new BatchError({ ...doing, errno, kernelText }, index);
}

function traceOperations(operations: readonly NftOperation[]): void {
  for (const operation of operations) {
    const { operation: verb, subject } = describeOperation(operation);
    const rule = "rule" in operation && "expressions" in operation.rule ? operation.rule : undefined;
    trace("nft", `> ${verb} ${subject}${rule ? ` ${expressionsText(rule.expressions, rule.family)}` : ""}`);
  }
}

function traceAnswer(refusal: BatchRefusal | undefined): void {
  trace("nft", refusal ? `< operation ${refusal.index ?? "?"} refused: ${errnoText(refusal.errno)}` : "< done");
}
