/**
 * Bytes between a pipe that a container has the other end of, and a socket of ours.
 *
 * Who has one end of a pipe can keep whoever has the other waiting for as long as he likes, O_NONBLOCK or not: splice(2)
 * from (or to) a socket that has nothing to give (takes nothing more) waits with the pipe's lock held, and read(2) and
 * write(2) wait for that lock, where even SIGKILL is not heard (measured). So a thread without any JavaScript does
 * the waiting, and the process deals with the socket, whose lock no container ever holds.
 */
import { isKernelError } from "../../ffi/errno.ts";
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import type { Item } from "../../ffi/program.ts";
import { startThread, THREAD_END } from "../../ffi/thread.ts";
import { Descriptor } from "./descriptor.ts";
import { setNonBlocking } from "./pipes.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const BUFFER_BYTES = 65536;

/** What comes out of a pipe, by way of a socket, which is returned; the pipe is the relay's. It ends when the pipe does. */
export function relayFrom(pipe: Descriptor): Descriptor {
  return relay(pipe, (socket) => ({ from: pipe.fd, to: socket }));
}

/** The way into a pipe, by a socket, which is returned; the pipe is the relay's. Closing the socket closes the pipe. */
export function relayTo(pipe: Descriptor): Descriptor {
  return relay(pipe, (socket) => ({ from: socket, to: pipe.fd }));
}

/** Where no thread can be had (a limit of processes), the pipe itself. */
function relay(pipe: Descriptor, way: (socket: number) => { from: number; to: number }): Descriptor {
  const [ours, theirs] = socketPair();
  try {
    const { from, to } = way(theirs.fd);
    startThread({ items: moveAll(from, to), buffers: { bytes: BUFFER_BYTES } }, { closes: [to, from] });
  } catch (error) {
    ours.close();
    theirs.close();
    if (!isKernelError(error, "EAGAIN", "ENOMEM")) throw error;
    setNonBlocking(pipe.fd, true);
    return pipe;
  }
  theirs.release(); // both are the thread's now
  pipe.release();
  return ours;
}

function moveAll(from: number, to: number): Item[] {
  const notes = (operation: string) => ({ operation, subject: "a standard stream" });
  return [
    { label: "again" },
    {
      call: "read",
      args: [from, { buffer: "bytes" }, BUFFER_BYTES],
      as: "count",
      whenZero: THREAD_END,
      ...notes("read"),
    },
    // Both ends wait, so a write takes all.
    { call: "write", args: [to, { buffer: "bytes" }, { result: "count" }], ...notes("write") },
    { jump: "again" },
  ];
}

/** Two connected stream sockets, the first not waiting. */
function socketPair(): [Descriptor, Descriptor] {
  const pair = new Int32Array(2);
  const bytes = new Uint8Array(pair.buffer);
  const result = syscall("socketpair", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, addressOf(bytes));
  check(result, { operation: "make", subject: "a pair of sockets" });
  const [ours, theirs] = [new Descriptor(pair[0] as number), new Descriptor(pair[1] as number)]; // of length 2
  setNonBlocking(ours.fd, true);
  return [ours, theirs];
}
