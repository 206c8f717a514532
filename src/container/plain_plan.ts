/**
 * The child's program of a plain container, with what differs from one to the next left open. Pure.
 *
 * A plain container is one of the built-in root file system, on a network of its own, as root, with the default
 * mounts, capabilities and limits: `run --rm busybox COMMAND`. Its plan is made by {@link planContainer} like any other,
 * of stand-ins for descriptors and texts; then each stand-in becomes a parameter or a buffer of the program. The
 * program is assembled when skdocker is built (scripts/prepare_programs.ts) and filled in by plain_child.ts.
 */
import { surroundChild } from "../../ffi/child_program.ts";
import { type Argument, type Call, isCall, type Item, type SyscallProgram } from "../../ffi/program.ts";
import type { Machine } from "../../ffi/syscalls.ts";
import { capabilitySet, DEFAULT_CAPABILITIES } from "../kernel/capabilities.ts";
import { O_CLOEXEC, O_RDONLY, O_WRONLY } from "../kernel/open_flags.ts";
import { seccompFilter } from "../kernel/seccomp.ts";
import { DEVICES } from "./devices.ts";
import { executablePaths } from "./environment.ts";
import { mountAt } from "./mount_plan.ts";
import { CHILD_NAMESPACES, childProgram, planContainer } from "./plan.ts";
import { PLAIN_ATTEMPTS, PLAIN_FILES, PLAIN_LIMITS } from "./plain_shape.ts";
import { PLAIN_REQUEST } from "./request.ts";
import { specFromRequest } from "./spec.ts";
import { resolveUser } from "./user.ts";

/** Bytes of the buffers that are filled in. */
const BUFFERS: Readonly<Record<string, number>> = {
  hostname: PLAIN_LIMITS.text,
  lower: PLAIN_LIMITS.text,
  upper: PLAIN_LIMITS.text,
  work: PLAIN_LIMITS.text,
  vectors: PLAIN_LIMITS.vectors,
  ...Object.fromEntries(Array.from({ length: PLAIN_ATTEMPTS }, (_, index) => [`path ${index}`, PLAIN_LIMITS.text])),
};

/** Capabilities that the program drops from the bounding set are among these: all that Linux 5.9 and later have. */
const BOUNDING_SET = (1n << 41n) - 1n;

// include/uapi/asm-generic/signal.h, fcntl.h
const SIG_SETMASK = 2;
const SIGSET_BYTES = 8;
const SIGKILL = 9;
const SIGSTOP = 19;
const F_SETFD = 2;

/** Stands for a text until it becomes a buffer: no text of a plan begins so. */
const standIn = (name: string) => `\u0001${name}`;

const attempts = executablePaths(standIn("command"), []);

/** The line of the built-in root file system's passwd that is asked for. */
const ROOT = "root:x:0:0:root:/root:/bin/sh\n";

/** Numbers that stand for descriptors and the like, and are nothing else in a plan; their neighbours are free. */
class StandIns {
  readonly #names = new Map<number, string>();
  #next = 0x5eed0000;

  of(name: string): number {
    this.#next += 16;
    this.#names.set(this.#next, name);
    return this.#next;
  }

  /** `before NAME` and `after NAME` for the ends of ranges of descriptors. */
  nameOf(number: number): string | undefined {
    const exact = this.#names.get(number);
    if (exact !== undefined) return exact;
    const [next, previous] = [this.#names.get(number + 1), this.#names.get(number - 1)];
    return next === undefined ? previous && `after ${previous}` : `before ${next}`;
  }
}

/** The program, the parent's part around the child's included. */
export function plainProgram(machine: Machine): SyscallProgram {
  const numbers = new StandIns();
  const go = numbers.of("go");
  const plan = planContainer(specOf(numbers), inputsOf(numbers, { go, machine }));
  const child = childProgram(plan, { status: numbers.of("status") });
  const program = surroundChild(child, { flags: CHILD_NAMESPACES, shareMemory: true, cgroup: numbers.of("cgroup") });
  const items = program.items.flatMap((item) => isCall(item) ? leaveOpen(item, numbers) : [item]);
  return { items, buffers: { ...program.buffers, ...BUFFERS } };
}

function specOf(numbers: StandIns) {
  return specFromRequest({ ...PLAIN_REQUEST, command: [standIn("command")] }, {
    rootPath: standIn("lower"),
    hostname: standIn("hostname"),
    user: resolveUser(null, { database: { passwd: ROOT, group: "" }, groupAdd: [] }),
    boundingSet: BOUNDING_SET,
    openFilesLimit: numbers.of("open files"),
    network: "new",
    files: new Map(PLAIN_FILES.map((path) => [path, path])),
    cgroup: "unified",
  });
}

function inputsOf(numbers: StandIns, { go, machine }: { go: number; machine: Machine }) {
  const paths = [...PLAIN_FILES, ...DEVICES.map(([name]) => `/dev/${name}`)];
  const stream = (name: string) => numbers.of(`standard ${name}`);
  return {
    root: {
      kind: "overlay" as const,
      lower: standIn("lower"),
      upper: standIn("upper"),
      work: standIn("work"),
      memory: null,
    },
    late: new Map(),
    trees: new Map(paths.map((path) => [path, numbers.of(`tree ${path}`)])),
    existing: new Set(["/proc", "/dev", "/sys", ...PLAIN_FILES]),
    fileTargets: new Set(PLAIN_FILES),
    boundingSet: BOUNDING_SET,
    filter: seccompFilter({ machine, capabilities: capabilitySet(DEFAULT_CAPABILITIES) }),
    parentOnly: [numbers.of("parent only 0"), numbers.of("parent only 1")],
    network: { fd: numbers.of("network"), name: "network" },
    cgroups: [],
    stdio: { descriptors: [stream("input"), stream("output"), stream("error")] as const, owned: [] },
    go,
    workingDirectoryExists: true,
    beforeExec: resetSignals(),
  };
}

/** All signals as new, whichever of them this process may be ignoring when the program runs. */
function resetSignals(): Item[] {
  const action = { bytes: new Uint8Array(32) };
  const signals = Array.from({ length: 64 }, (_, index) => index + 1).filter((n) => n !== SIGKILL && n !== SIGSTOP);
  return [
    ...signals.map((signal): Item => ({
      call: "rt_sigaction",
      args: [signal, action, 0, SIGSET_BYTES],
      operation: "reset the disposition of",
      subject: `signal ${signal}`,
    })),
    {
      call: "rt_sigprocmask",
      args: [SIG_SETMASK, { bytes: new Uint8Array(SIGSET_BYTES) }, 0, SIGSET_BYTES],
      operation: "unblock",
      subject: "all signals",
    },
  ];
}

/** One call with its stand-ins made parameters and buffers; an error tells them by their names. */
function leaveOpen({ subject, ...rest }: Call, numbers: StandIns): Item[] {
  const named = subject.replaceAll("\u0001", "the ").replace(/\d{10}/, (digits) => {
    return numbers.nameOf(Number(digits)) ?? digits;
  });
  const call = { ...rest, subject: named };
  const args = call.args.map((argument) => openArgument(argument, numbers));
  if (call.call === "sethostname") return [{ ...call, args: [args[0] as Argument, { param: "hostname length" }] }];
  if (call.call === "execve") {
    return [{ ...call, args: [args[0] as Argument, { param: "argv" }, { param: "envp" }] }];
  }
  // Its text has the limit in it, which is not known yet.
  if (call.call === "prlimit64") return [{ ...call, args, operation: "set" }];
  const [from, to] = args;
  if (call.call === "dup3" && typeof from === "object" && "param" in from && typeof to === "number") {
    return streamItems(call, { from, to });
  }
  return [{ ...call, args }];
}

/**
 * A stream that is told when the program runs. It may be in its place already: then dup3 refuses (EINVAL), and only its
 * close-on-exec flag is cleared. Where it is no descriptor (EBADF), the container's null device takes its place.
 */
function streamItems(call: Call, { from, to }: { from: Argument; to: number }): Item[] {
  const [nothing, done] = [`null device for ${to}`, `stream ${to} is there`];
  const flags = (to === 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC;
  return [
    { ...call, args: [from, to, 0], tolerate: ["EINVAL"], onError: nothing },
    { ...call, call: "fcntl", args: [to, F_SETFD, 0] },
    { jump: done },
    { label: nothing },
    { ...call, call: "openat", args: [mountAt("/dev"), { text: "null" }, flags], as: nothing },
    { ...call, call: "dup3", args: [{ result: nothing }, to, 0] },
    { label: done },
  ];
}

function openArgument(argument: Argument, numbers: StandIns): Argument {
  if (typeof argument === "number") {
    const name = numbers.nameOf(argument);
    return name === undefined ? argument : { param: name };
  }
  if (typeof argument !== "object") return argument;
  if ("words" in argument) return { words: argument.words.map((word) => openArgument(word, numbers)) };
  if (!("text" in argument)) return argument;
  const { text } = argument;
  const attempt = text.endsWith(`/${standIn("command")}`) ? attempts.indexOf(text) : -1;
  if (attempt >= 0) return { buffer: `path ${attempt}` };
  return text.startsWith("\u0001") ? { buffer: text.slice(1) } : argument;
}
