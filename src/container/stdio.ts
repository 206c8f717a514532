/**
 * A container's standard input, output and error: what the child gets, and what is moved by us.
 *
 * A pipe or a socket is handed over as it is. Measured otherwise: root in the container reopens a regular file
 * through /proc/self/fd and overwrites what the caller opened for reading; a directory on 0, 1 or 2 is a way out of
 * the root; a terminal would let the container push characters into the caller's shell; through the caller's null
 * device, or a pipe that has a name, it changes mode and owner of the host's node. So files, terminals and named pipes
 * stay with us and their bytes go through a pipe, for the null device the container gets its own, and a directory is
 * refused.
 */
import { Descriptor } from "../kernel/descriptor.ts";
import { fileStatus, isAnonymousPipe, tryOpen } from "../kernel/files.ts";
import { O_NOCTTY, O_NONBLOCK, O_WRONLY } from "../kernel/open_flags.ts";
import { pipe, setNonBlocking } from "../kernel/pipes.ts";
import type { Reactor } from "../kernel/reactor.ts";
import { UserError } from "../user_error.ts";
import { Pump, type PumpEnd } from "./pump.ts";
import type { StreamSource } from "./start_plan.ts";

/** The stdio of one container, whoever is at the other end: this process's own, a pty, later a monitor's. */
export interface ContainerStdio extends Disposable {
  /** What the child is to have as 0, 1 and 2. */
  readonly child: readonly [StreamSource, StreamSource, StreamSource];
  /** Those of 0, 1 and 2 that were made for the container, and so may belong to its user. */
  readonly owned: readonly number[];
  /** To be called once the child exists: closes what only it should hold, so that an end of file can arrive. */
  childStarted(): void;
  /** Begins to move bytes. */
  attach(reactor: Reactor): void;
  /** Our terminal has another size now (SIGWINCH). */
  resized(): void;
  /** After the container has ended: moves on, and says whether every byte it wrote has been delivered. */
  drained(): boolean;
}

const STREAM_NAMES = ["input", "output", "error"] as const;

/**
 * What a container gets for descriptor `fd` of ours without our moving its bytes; `undefined` where we must. Throws a
 * {@link UserError} for a directory.
 */
function handedOver(fd: 0 | 1 | 2): StreamSource | undefined {
  const { type, rdevMajor, rdevMinor } = fileStatus(fd);
  if (type === "directory") throw new UserError(`Standard ${STREAM_NAMES[fd]} is a directory`);
  if (type === "socket" || (type === "pipe" && isAnonymousPipe(fd))) return fd;
  // Documentation/admin-guide/devices.txt: 1:3 is /dev/null.
  return type === "character device" && rdevMajor === 1 && rdevMinor === 3 ? "null" : undefined;
}

/** Refuses what no container can be given, before anything is touched. Throws a {@link UserError}. */
export function checkStreams({ interactive }: { interactive: boolean }): void {
  if (interactive) handedOver(0);
  handedOver(1);
  handedOver(2);
}

/**
 * Our descriptor `fd` as the sink of a pump. A terminal is opened once more, so that O_NONBLOCK is ours alone (the
 * open file behind `fd` is shared with the shell); where it cannot be, it is given little at a time.
 */
export function outputEnd(fd: 1 | 2): PumpEnd {
  if (fileStatus(fd).type !== "character device") return { fd };
  const own = tryOpen(`/proc/self/fd/${fd}`, { flags: O_WRONLY | O_NONBLOCK | O_NOCTTY });
  if (own < 0) return { fd, most: 512 };
  const owner = new Descriptor(own);
  return { fd: owner.fd, owner };
}

/** The stdio of a container without a terminal, connected to this process's own 0, 1 and 2. */
export class InheritedStdio implements ContainerStdio {
  readonly child: readonly [StreamSource, StreamSource, StreamSource];
  readonly owned: number[] = [];
  /** Ends that are the child's; ours are closed once it exists. */
  readonly #childEnds: Descriptor[] = [];
  readonly #input: Pump | undefined;
  readonly #outputs: Pump[] = [];

  /** `interactive`: whether our standard input reaches the container; else it reads the null device. */
  constructor({ interactive }: { interactive: boolean }) {
    const outputs = [this.#output(1), this.#output(2)] as const;
    let input = interactive ? handedOver(0) : "null";
    // cat(1) and others splice: waiting for a socket, the kernel keeps the pipe that they write to locked, and us in
    // read(2) of it, O_NONBLOCK or not, where even SIGKILL is not heard.
    if (input === 0 && this.#outputs.length > 0 && fileStatus(0).type === "socket") input = undefined;
    if (input === undefined) {
      const { read, write } = pipe();
      setNonBlocking(write.fd, true);
      this.#input = new Pump({ source: { fd: 0 }, sink: { fd: write.fd, owner: write } });
      input = this.#keep(read);
      this.owned.push(0);
    }
    this.child = [input, ...outputs];
  }

  #output(fd: 1 | 2): StreamSource {
    const same = handedOver(fd);
    if (same !== undefined) return same;
    const { read, write } = pipe();
    setNonBlocking(read.fd, true);
    this.#outputs.push(new Pump({ source: { fd: read.fd, owner: read }, sink: outputEnd(fd) }));
    this.owned.push(fd);
    return this.#keep(write);
  }

  #keep(end: Descriptor): number {
    this.#childEnds.push(end);
    return end.fd;
  }

  childStarted(): void {
    for (const end of this.#childEnds.splice(0)) end.close();
  }

  attach(reactor: Reactor): void {
    this.#input?.attach(reactor);
    for (const output of this.#outputs) output.attach(reactor);
  }

  resized(): void {
    // Without a terminal inside there is nothing to tell.
  }

  drained(): boolean {
    let all = true;
    for (const output of this.#outputs) if (!output.drain()) all = false;
    return all;
  }

  [Symbol.dispose](): void {
    this.childStarted();
    this.#input?.[Symbol.dispose]();
    for (const output of this.#outputs) output[Symbol.dispose]();
  }
}
