/** Processes: their end, signals to them, names and resource limits. */
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import { struct } from "../../ffi/struct.ts";
import { signalName } from "./signal_names.ts";

// include/uapi/linux/wait.h
const P_PID = 1;
const P_PIDFD = 3;
const WNOHANG = 1;
const WEXITED = 4;

// include/uapi/asm-generic/siginfo.h: si_code of SIGCHLD
const CLD_EXITED = 1;

const EINTR = 4;

/** The part of siginfo_t that waitid(2) fills. */
const SIGINFO = struct("siginfo_t", {
  si_signo: "s32",
  si_errno: "s32",
  si_code: "s32",
  padding: "s32",
  si_pid: "s32",
  si_uid: "u32",
  si_status: "s32",
});
const SIGINFO_BYTES = 128;

/** How a process ended. */
export type Exit =
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "killed"; readonly signal: number };

/** The exit code a shell or docker gives: 0 to 255, or 128 and the number of the signal. */
export function exitCode(exit: Exit): number {
  return exit.kind === "exited" ? exit.status & 0xff : 128 + exit.signal;
}

/** `exited with status 3`, `killed by SIGKILL`. */
export function describeExit(exit: Exit): string {
  return exit.kind === "exited" ? `exited with status ${exit.status}` : `killed by ${signalName(exit.signal)}`;
}

/** Which child to wait for: by its pidfd, or by its pid. */
export type ChildReference = { readonly pidfd: number } | { readonly pid: number };

/** Waits until a child has ended and reaps it. Throws ECHILD where it is not our child, or was reaped already. */
export function waitForExit(child: ChildReference): Exit {
  const exit = waitId(child, WEXITED);
  if (!exit) throw new Error("waitid returned without a child"); // only WNOHANG allows that
  return exit;
}

/** Reaps a child if it has ended; `undefined` while it lives. */
export function tryWaitForExit(child: ChildReference): Exit | undefined {
  return waitId(child, WEXITED | WNOHANG);
}

function waitId(child: ChildReference, options: number): Exit | undefined {
  const [type, id] = "pidfd" in child ? [P_PIDFD, child.pidfd] : [P_PID, child.pid];
  const info = new Uint8Array(SIGINFO_BYTES);
  let result: number;
  do result = syscall("waitid", type, id, addressOf(info), options, 0); while (result === -EINTR);
  check(result, { operation: "wait for", subject: "pid" in child ? `process ${child.pid}` : "a child process" });
  return decodeSiginfo(info);
}

/** The exit in a siginfo_t that waitid(2) has filled; `undefined` where no child had changed. */
export function decodeSiginfo(info: Uint8Array): Exit | undefined {
  const { si_pid, si_code, si_status } = SIGINFO.decode(info);
  if (si_pid === 0) return undefined;
  // CLD_KILLED and CLD_DUMPED alike: a core file makes no other end.
  return si_code === CLD_EXITED ? { kind: "exited", status: si_status } : { kind: "killed", signal: si_status };
}

/** A soft and a hard limit; `Infinity` stands for RLIM_INFINITY. */
export interface ResourceLimit {
  readonly soft: number;
  readonly hard: number;
}

const RLIMIT = struct("rlimit64", { rlim_cur: "u64", rlim_max: "u64" });
const RLIM64_INFINITY = 2n ** 64n - 1n;

/** A limit as the kernel's struct rlimit64. Throws a RangeError for anything that is no count. */
export function encodeResourceLimit({ soft, hard }: ResourceLimit): Uint8Array<ArrayBuffer> {
  return RLIMIT.encode({ rlim_cur: limitWord(soft), rlim_max: limitWord(hard) });
}

function limitWord(limit: number): bigint {
  return limit === Infinity ? RLIM64_INFINITY : BigInt(limit);
}

/** A limit of this process: prlimit(2). `resource` is a number of {@link resourceNumber}. */
export function resourceLimit(resource: number): ResourceLimit {
  const bytes = new Uint8Array(RLIMIT.size);
  const doing = { operation: "read the resource limit", subject: `${resource}` };
  check(syscall("prlimit64", 0, resource, 0, addressOf(bytes)), doing);
  const { rlim_cur, rlim_max } = RLIMIT.decode(bytes);
  return { soft: limitNumber(rlim_cur), hard: limitNumber(rlim_max) };
}

function limitNumber(word: bigint): number {
  return word === RLIM64_INFINITY ? Infinity : Number(word);
}
