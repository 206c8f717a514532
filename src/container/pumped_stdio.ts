/**
 * The stdio of a container without a terminal, of whose streams one at least must be moved by us: a file, a terminal, a
 * named pipe. The container gets a pipe instead.
 */
import { Descriptor } from "../kernel/descriptor.ts";
import { fileStatus } from "../kernel/file_status.ts";
import { tryOpen } from "../kernel/files.ts";
import { O_NOCTTY, O_NONBLOCK, O_WRONLY } from "../kernel/open_flags.ts";
import { pipe } from "../kernel/pipes.ts";
import type { Reactor } from "../kernel/reactor.ts";
import { relayFrom, relayTo } from "../kernel/relay.ts";
import { Pump, type PumpEnd } from "./pump.ts";
import type { StreamSource } from "./start_plan.ts";
import { type ContainerStdio, handedOver } from "./stdio.ts";

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

/** How long bytes that are still on their way when the container has ended are waited for, in milliseconds. */
const DRAIN_TIMEOUT = 2000;

/** A pipe of which the container has the other end, and what of ours its bytes come from or go to. */
interface PumpedStream {
  readonly ours: Descriptor;
  readonly fd: 0 | 1 | 2;
}

/** Streams connected to this process's own 0, 1 and 2; those that can be are handed over all the same. */
export class PumpedStdio implements ContainerStdio {
  readonly child: readonly [StreamSource, StreamSource, StreamSource];
  readonly owned: number[] = [];
  /** Ends that are the child's; ours are closed once it exists. */
  readonly #childEnds: Descriptor[] = [];
  readonly #pumped: PumpedStream[] = [];
  readonly #outputs: Pump[] = [];
  #input: Pump | undefined;
  #reactor: Reactor | undefined;
  #draining = false;
  #late = false;

  /** `interactive`: whether our standard input reaches the container; else it reads the null device. */
  constructor({ interactive }: { interactive: boolean }) {
    const outputs = [this.#stream(1), this.#stream(2)] as const;
    this.child = [interactive ? this.#stream(0) : "null", ...outputs];
  }

  #stream(fd: 0 | 1 | 2): StreamSource {
    const same = handedOver(fd);
    // cat(1) and others splice: from a socket to a pipe of ours they would keep back their output (see relay.ts).
    const splices = fd === 0 && this.#pumped.length > 0 && fileStatus(0).type === "socket";
    if (same !== undefined && !splices) return same;
    const { read, write } = pipe();
    const [ours, theirs] = fd === 0 ? [write, read] : [read, write];
    this.#pumped.push({ ours, fd });
    this.#childEnds.push(theirs);
    this.owned.push(fd);
    return theirs.fd;
  }

  childStarted(): void {
    for (const end of this.#childEnds.splice(0)) end.close();
  }

  attach(reactor: Reactor): void {
    this.#reactor = reactor;
    for (const stream of this.#pumped.splice(0)) this.#pump(stream).attach(reactor);
  }

  #pump({ ours, fd }: PumpedStream): Pump {
    if (fd === 0) {
      const owner = relayTo(ours);
      return this.#input = new Pump({ source: { fd: 0 }, sink: { fd: owner.fd, owner } });
    }
    const owner = relayFrom(ours);
    const output = new Pump({ source: { fd: owner.fd, owner }, sink: outputEnd(fd) });
    this.#outputs.push(output);
    return output;
  }

  resized(): boolean {
    return false;
  }

  /** The end of each stream comes by itself, unless somebody outside was given the container's end of it. */
  drained(): boolean {
    let all = true;
    for (const output of this.#outputs) {
      output.drain();
      if (!output.finished) all = false;
    }
    if (!all && !this.#draining) {
      this.#draining = true;
      this.#reactor?.timer(DRAIN_TIMEOUT, () => this.#late = true);
    }
    return all || this.#late;
  }

  [Symbol.dispose](): void {
    this.childStarted();
    for (const { ours } of this.#pumped.splice(0)) ours.close();
    this.#input?.[Symbol.dispose]();
    for (const output of this.#outputs) output[Symbol.dispose]();
  }
}
