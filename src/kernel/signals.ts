/** Catching this process's signals on a descriptor, to be waited for like any other. */
import type { ProgramImage } from "../../ffi/image.ts";
import { mapImage, NativeProgram, programsAreObserved } from "../../ffi/native.ts";
import {
  ACTION,
  catchProgram,
  formerAction,
  handlerAction,
  restoreAction,
  SIGNAL_BYTES,
} from "../../ffi/signal_handler.ts";
import { check } from "../../ffi/libc.ts";
import { EAGAIN, readInto } from "./files.ts";
import { pipe } from "./pipes.ts";
import { signalName } from "./signal_names.ts";

/**
 * Signals that are never caught here. Measured on a compiled program of Bun 1.4.5 (SigCgt of /proc/self/status:
 * 0x1600004f8, before any line of the program has run):
 *  - ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS (4 5 6 7 8 11 31): crash reporter and memory traps of the engine;
 *  - PWR (30): JavaScriptCore stops its threads with it for garbage collection;
 *  - 32 and 33: the C library's own, for cancelling threads and for changing the credentials of all threads.
 * KILL and STOP cannot be caught by anyone. It ignores PIPE and XFSZ (13, 25), which may be caught.
 */
const NOT_OURS: readonly number[] = [4, 5, 6, 7, 8, 9, 11, 19, 30, 31, 32, 33];

/** Whether {@link catchSignals} may be asked for a signal. */
export function isCatchable(signal: number): boolean {
  return signal >= 1 && signal <= 64 && !NOT_OURS.includes(signal);
}

/** Signals that are being caught. Disposal gives each back what it did before. */
export interface CaughtSignals extends Disposable {
  /** Readable when a signal has come. */
  readonly fd: number;
  /** The numbers of the signals that came since the last call, in their order; none is no error. */
  read(): number[];
}

let caught: CaughtSignals | undefined;

/**
 * Catches signals from here on. They are written to a pipe by whichever thread they come to, so a reactor that
 * waits for {@link CaughtSignals.fd} is woken. One that is ignored (by nohup, say) is caught as well. `image`: their
 * {@link catchProgram}, assembled at build time: else fifty calls would be a twentieth of a start.
 * Throws for a signal that is not {@link isCatchable}, and while others are being caught.
 */
export function catchSignals(signals: readonly number[], image?: ProgramImage): CaughtSignals {
  if (caught) throw new Error("signals are being caught already");
  for (const signal of signals) if (!isCatchable(signal)) throw new Error(`${signalName(signal)} cannot be caught`);
  const { read, write } = pipe({ nonBlocking: true });
  const fitting = image && !programsAreObserved() ? mapImage(image) : undefined;
  const program = fitting ?? new NativeProgram(catchProgram(signals));
  program.buffer(ACTION).set(handlerAction(write.fd));
  program.run();
  program.throwFailure();
  const bytes = new Uint8Array(64 * SIGNAL_BYTES);
  return caught = {
    fd: read.fd,
    read: () => takeSignals(read.fd, bytes),
    [Symbol.dispose]() {
      for (const signal of signals) restoreAction(signal, program.buffer(formerAction(signal)));
      program[Symbol.dispose]();
      caught = undefined;
      // A handler that is under way on another thread may still write: to this number, so it is never given to another.
      read.close();
      write.release();
    },
  };
}

function takeSignals(fd: number, bytes: Uint8Array): number[] {
  const signals: number[] = [];
  for (;;) {
    const count = readInto(fd, bytes);
    if (count === -EAGAIN) return signals;
    check(count, { operation: "read", subject: "the signal pipe" });
    for (let at = 0; at < count; at += SIGNAL_BYTES) signals.push(bytes[at] as number); // writes of 8 bytes are atomic
    if (count < bytes.length) return signals;
  }
}
