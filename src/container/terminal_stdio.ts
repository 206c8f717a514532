/**
 * The stdio of a container with a terminal of its own (`-t`): one pseudo-terminal for all three streams.
 *
 * Our own terminal is put into raw mode, so that every key reaches the container's, which does the echoing and
 * turns ^C into a signal; it gets its former settings back on every way out that leaves us alive.
 */
import { Descriptor } from "../kernel/descriptor.ts";
import type { Pty } from "../kernel/pty.ts";
import type { Reactor } from "../kernel/reactor.ts";
import { enterRawMode, isTerminal, setWindowSize, windowSize } from "../kernel/terminal.ts";
import { Pump } from "./pump.ts";
import { outputEnd } from "./pumped_stdio.ts";
import type { ContainerStdio } from "./stdio.ts";

/** A container's terminal, connected to this process's own 0 and 1. */
export class TerminalStdio implements ContainerStdio {
  readonly child: readonly [number, number, number];
  readonly owned = [0, 1, 2];
  readonly #pty: Pty;
  readonly #master: Descriptor;
  /** A second number for the same master: the reactor watches each number for one thing. */
  readonly #keyboard: Descriptor | undefined;
  readonly #input: Pump | undefined;
  readonly #output: Pump;
  #raw: Disposable | undefined;

  constructor(pty: Pty, { interactive }: { interactive: boolean }) {
    this.#pty = pty;
    this.#master = pty.master;
    const slave = pty.slave.fd;
    this.child = [slave, slave, slave];
    const sink = { ...outputEnd(1), atEnd: () => this.#hangUp() };
    this.#output = new Pump({ source: { fd: this.#master.fd }, sink });
    this.resized(); // before there is anybody to ask for the size
    if (!interactive) return;
    this.#keyboard = this.#master.duplicate();
    this.#input = new Pump({ source: { fd: 0, atEnd: () => this.#hangUp() }, sink: { fd: this.#keyboard.fd } });
  }

  childStarted(): void {
    // As long as we held the slave, the master would never read an end of file.
    this.#pty.slave.close();
  }

  attach(reactor: Reactor): void {
    if (this.#input && isTerminal(0)) this.#raw = enterRawMode(0);
    this.resized(); // our own may have changed while the container started
    this.#input?.attach(reactor);
    this.#output.attach(reactor);
  }

  /** Gives the container's terminal the size of ours, if we have one. */
  resized(): boolean {
    const ours = isTerminal(1) ? 1 : isTerminal(0) ? 0 : undefined;
    if (ours !== undefined && !this.#output.finished) setWindowSize(this.#master.fd, windowSize(ours));
    return true;
  }

  /**
   * Our terminal is gone (its window was closed, the connection broke, nobody reads what we write): so is the
   * container's, for all who use it. Else who writes to it would wait for ever.
   */
  #hangUp(): void {
    this.#output[Symbol.dispose]();
    this.#keyboard?.close();
    this.#pty[Symbol.dispose]();
  }

  drained(): boolean {
    return this.#output.drain();
  }

  [Symbol.dispose](): void {
    try {
      this.#raw?.[Symbol.dispose]();
    } finally {
      this.#input?.[Symbol.dispose]();
      this.#output[Symbol.dispose]();
      this.#keyboard?.close();
      this.#pty[Symbol.dispose]();
    }
  }
}
