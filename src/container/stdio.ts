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
import { fileStatus, isAnonymousPipe } from "../kernel/file_status.ts";
import type { Reactor } from "../kernel/reactor.ts";
import { UserError } from "../user_error.ts";
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
  /** Our terminal has another size now (SIGWINCH). False where the container has no terminal that could learn of it. */
  resized(): boolean;
  /** After the container has ended: moves on, and says whether every byte it wrote has been delivered. */
  drained(): boolean;
}

const STREAM_NAMES = ["input", "output", "error"] as const;

/**
 * What a container gets for descriptor `fd` of ours without our moving its bytes; `undefined` where we must. Throws a
 * {@link UserError} for a directory.
 */
export function handedOver(fd: 0 | 1 | 2): StreamSource | undefined {
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

/** The stdio of a container whose streams can all be handed over; null where one of them can not. */
export function handedStdio({ interactive }: { interactive: boolean }): ContainerStdio | null {
  const [input, output, error] = [interactive ? handedOver(0) : "null", handedOver(1), handedOver(2)];
  if (input === undefined || output === undefined || error === undefined) return null;
  const nothing = () => undefined;
  return {
    child: [input, output, error],
    owned: [],
    childStarted: nothing,
    attach: nothing,
    resized: () => false,
    drained: () => true,
    [Symbol.dispose]: nothing,
  };
}
