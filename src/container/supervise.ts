/**
 * Stands by a running container: moves its bytes, passes signals on, and learns how it ended.
 *
 * Everything waits in one reactor. The order at the end matters: the first process's end is the end of all others
 * in its PID namespace, so once it is reaped, what is still in the pipes is all there will ever be.
 */
import { signalPidfd } from "../kernel/pidfd.ts";
import { type Exit, tryWaitForExit } from "../kernel/process.ts";
import { Reactor } from "../kernel/reactor.ts";
import { catchSignals, type CaughtSignals, isCatchable } from "../kernel/signals.ts";
import type { ContainerStdio } from "./stdio.ts";

// include/uapi/asm-generic/signal.h
const SIGPIPE = 13;
const SIGCHLD = 17;
const SIGTSTP = 20;
const SIGTTIN = 21;
const SIGTTOU = 22;
const SIGURG = 23;
const SIGWINCH = 28;
const HIGHEST_SIGNAL = 64;

/**
 * What is not passed on: our own children's, writes of our own to a closed pipe, and the three by which a shell
 * suspends us and takes the terminal away.
 */
const OURS: readonly number[] = [SIGPIPE, SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG];

/** The numbers of all signals that are passed on to the container's first process, real-time ones included. */
export function forwardedSignals(): number[] {
  const signals: number[] = [];
  for (let signal = 1; signal <= HIGHEST_SIGNAL; signal++) {
    if (isCatchable(signal) && !OURS.includes(signal)) signals.push(signal);
  }
  return signals;
}

/** Catches every one of them, from here to disposal. */
export async function catchForwardedSignals(): Promise<CaughtSignals> {
  const { catchSignalsImage } = await import("#programs");
  return catchSignals(forwardedSignals(), catchSignalsImage);
}

/** Something else that lives on the reactor for as long as the container: a name server. */
export interface Service {
  attach(reactor: Reactor): void;
}

/** What {@link supervise} watches over. */
export interface Supervised {
  /** Of the container's first process, which must be our child. */
  readonly pidfd: number;
  readonly stdio: ContainerStdio;
  readonly signals: CaughtSignals;
  readonly services: readonly Service[];
}

/** Serves the container until it has ended and all of its output is delivered. */
export function supervise({ pidfd, stdio, signals, services }: Supervised): Exit {
  using reactor = new Reactor();
  let exit: Exit | undefined;
  stdio.attach(reactor);
  for (const service of services) service.attach(reactor);
  reactor.add(signals.fd, {
    readable: () => {
      for (const signal of signals.read()) {
        // A terminal of the container's tells it by itself.
        if (signal !== SIGWINCH || !stdio.resized()) signalPidfd(pidfd, signal);
      }
    },
  });
  reactor.add(pidfd, {
    readable: () => {
      exit = tryWaitForExit({ pidfd });
      if (exit) reactor.remove(pidfd);
    },
  });
  reactor.run(() => exit !== undefined && stdio.drained());
  return exit as Exit; // run() returned, so it is there
}
