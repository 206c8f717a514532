/** The last steps of a child: standard streams, no other descriptor, working directory, go, execve. Pure. */
import type { Argument, Item } from "../../ffi/program.ts";
import { AT_FDCWD, O_CLOEXEC, O_PATH, O_RDONLY, O_WRONLY, RESOLVE_NO_MAGICLINKS } from "../kernel/open_flags.ts";
import { call, type ContainerStep, shellWord } from "./container_step.ts";
import { executablePaths } from "./environment.ts";
import { mountAt, openTarget } from "./mount_plan.ts";
import type { SpecProcess } from "./spec.ts";

const F_SETFD = 2; // include/uapi/asm-generic/fcntl.h
const FD_CLOEXEC = 1;
const TIOCSCTTY = 0x540e; // include/uapi/asm-generic/ioctls.h
const HIGHEST_DESCRIPTOR = 0xffffffff;

/** A descriptor of the parent, or the null device as the container has it. */
export type StreamSource = number | "null";

/** What becomes 0, 1 and 2. */
export interface StdioInputs {
  readonly descriptors: readonly [StreamSource, StreamSource, StreamSource];
  /** Those (0, 1, 2) that are to belong to the user: pipes and terminals, so that /dev/stdout can be opened again. */
  readonly owned: readonly number[];
}

/**
 * Puts the streams in place; a terminal becomes the controlling one of the session. The null device is the container's
 * own, on a read-only mount: through the caller's, root in the container could change mode and owner of the host's node.
 */
export function planStdio({ descriptors, owned }: StdioInputs, process: SpecProcess): ContainerStep[] {
  const items: Item[] = [];
  descriptors.forEach((from, to) => {
    const stream = `standard ${["input", "output", "error"][to]}`;
    const notes = { operation: "make", subject: stream };
    if (from === "null") {
      const flags = (to === 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC;
      items.push(call("openat", [mountAt("/dev"), { text: "null" }, flags], { as: stream, ...notes }));
      items.push(call("dup3", [{ result: stream }, to, 0], notes));
    } else if (from === to) items.push(call("fcntl", [to, F_SETFD, 0], notes));
    else if (from < 3) throw new Error(`descriptor ${from} cannot become ${to}: it is a stream itself`);
    else items.push(call("dup3", [from, to, 0], notes));
  });
  if (process.terminal) {
    const notes = { operation: "take", subject: "the controlling terminal" };
    items.push(call("ioctl", [0, TIOCSCTTY, 0], notes));
  }
  const { uid } = process.user;
  if (uid !== 0) {
    for (const fd of owned) {
      const notes = { operation: `give to user ${uid}`, subject: `descriptor ${fd}` };
      // Whoever cannot be given a stream can still use it.
      items.push(call("fchown", [fd, uid, -1], { tolerate: ["EPERM", "EROFS", "EINVAL"], ...notes }));
    }
  }
  return [{ group: "stdio", command: "exec 0<… 1>… 2>…", items }];
}

/**
 * Closes everything but the streams and `kept`. Closed, not marked: until execve has succeeded, links of /proc
 * in a hostile root file system could lead to what is still open (CVE-2024-21626).
 */
export function planClosing(kept: readonly number[]): ContainerStep {
  const notes = { operation: "close", subject: "all other descriptors" };
  const items: Item[] = [];
  let from = 3;
  for (const fd of kept.toSorted((a, b) => a - b)) {
    if (fd > from) items.push(call("close_range", [from, fd - 1, 0], notes));
    from = fd + 1;
  }
  items.push(call("close_range", [from, HIGHEST_DESCRIPTOR, 0], notes));
  return { group: "stdio", command: "exec 3>&- 4>&- …", items };
}

/** Makes the working directory where it is missing, as docker does, as root and before the root may become read-only. */
export function planWorkingDirectory(cwd: string): ContainerStep {
  const { items } = openTarget(cwd, "directory", { what: "working directory" });
  return { group: "mounts", command: `mkdir -p ${shellWord(cwd)}`, items };
}

/**
 * Enters the working directory, as the user: who may not enter it cannot start there. Nothing of the host is open
 * any more, so no link of /proc leads there.
 */
export function planEnter(cwd: string): ContainerStep {
  const notes = { operation: "change the working directory to", subject: cwd };
  return {
    group: "start",
    command: `cd ${shellWord(cwd)}`,
    items: [call("chdir", [{ text: cwd }], { as: "enter", ...notes })],
  };
}

/** Name of the scratch byte that "go" is read to. */
export const GO_BUFFER = "go";

/**
 * Waits for the parent's go: its end of file means that the parent is dead, and then nothing must start.
 *
 * A go that was said before the parent-death signal was asked for may come from a parent that has died since. The pipe
 * has no writer then, which poll(2) reports unasked (POLLHUP).
 */
export function planGo(go: number): ContainerStep {
  const notes = { operation: "wait for", subject: "the parent" };
  const [poll, atOnce] = [{ words: [go] }, { words: [0, 0] }]; // struct pollfd without events, struct timespec
  return {
    group: "start",
    command: "read go",
    items: [
      call("read", [go, { buffer: GO_BUFFER }, 1], { ...notes, expect: 1 }),
      call("ppoll", [poll, 1, atOnce, 0, 0], { ...notes, expect: 0 }),
    ],
  };
}

/** Whether the reading end of the go pipe survives execve. */
export function keepOnExec(go: number, kept: boolean): Item {
  return call("fcntl", [go, F_SETFD, kept ? 0 : FD_CLOEXEC], {
    operation: "keep",
    subject: "the pipe of the parent's go",
  });
}

/** The names of the results of looking for the command in a directory of PATH, counted from 0, and of executing it. */
export function attemptNames(index: number): { find: string; execute: string } {
  return { find: `find ${index}`, execute: `execute ${index}` };
}

/** struct open_how: flags, mode, resolve. */
const WITHOUT_MAGIC_LINKS: Argument = { words: [O_PATH | O_CLOEXEC, 0, RESOLVE_NO_MAGICLINKS] };
const OPEN_HOW_SIZE = 24;

/**
 * Executes the command: each path of PATH in turn while there is nothing there (execvp(3)). `before` goes just ahead
 * of the first attempt. Why none could be executed is told by the results of all attempts (exec_failure.ts).
 *
 * Each is looked for first without magic links: /proc/self/exe is still the host's own program here, and a link to it
 * in a hostile root would execute that, which is the first half of overwriting it (CVE-2019-5736).
 */
export function planExec({ args, env }: SpecProcess, before: readonly Item[]): ContainerStep {
  const argv: Argument = { words: [...args.map((text) => ({ text })), 0] };
  const envp: Argument = { words: [...env.map((text) => ({ text })), 0] };
  const command = args[0] as string; // a request's command is never empty
  const paths = executablePaths(command, env);
  const items: Item[] = [...before];
  const notes = { operation: "execute", subject: command };
  paths.forEach((path, index) => {
    const last = index === paths.length - 1;
    const { find, execute } = attemptNames(index);
    const next = `command ${index + 1}`;
    items.push(
      call("openat2", [AT_FDCWD, { text: path }, WITHOUT_MAGIC_LINKS, OPEN_HOW_SIZE], {
        as: find,
        ...notes,
        ...(last ? {} : { onError: next }),
      }),
      call("execve", [{ text: path }, argv, envp], {
        as: execute,
        ...notes,
        ...(last ? {} : { tolerate: ["ENOENT", "ENOTDIR", "EACCES"] as const }),
      }),
    );
    if (!last) items.push({ label: next });
  });
  return { group: "start", command: `exec ${args.map(shellWord).join(" ")}`, items };
}
