/** What bounds a container: `--memory`, `--cpus`, `--pids-limit`, `--shm-size`, `--ulimit`, `--sysctl`. */
import type { UlimitName, UlimitRequest } from "../../container/request.ts";
import { didYouMean } from "../suggest.ts";
import { invalidArgument } from "./invalid.ts";
import { parseSize } from "./size.ts";

/** Below this a process cannot even be started; docker's own bound. */
const LEAST_MEMORY = 6 * 1024 * 1024;

/** Bytes; `0` means no limit. */
export function parseMemory(text: string): number | null {
  const word = { flag: "--memory", text };
  const bytes = parseSize(text);
  if (bytes === undefined) throw invalidArgument("not a size such as 64m or 1.5g", word);
  if (bytes > 0 && bytes < LEAST_MEMORY) throw invalidArgument("the least is 6m", word);
  return bytes === 0 ? null : bytes;
}

/** Bytes of /dev/shm; `0` means the default. */
export function parseShmSize(text: string): number | null {
  const bytes = parseSize(text);
  if (bytes === undefined) throw invalidArgument("not a size such as 64m or 1.5g", { flag: "--shm-size", text });
  return bytes === 0 ? null : bytes;
}

/** Number of CPUs, in hundredths or coarser; `0` means no limit. */
export function parseCpus(text: string): number | null {
  const word = { flag: "--cpus", text };
  if (!/^([0-9]+(\.[0-9]*)?|\.[0-9]+)$/.test(text)) throw invalidArgument("not a number such as 1.5", word);
  const cpus = Number(text);
  if (cpus === 0) return null;
  // The kernel's quota is at least 1 ms in a period of 100 ms (kernel/sched/core.c, min_cfs_quota_period).
  if (cpus < 0.01) throw invalidArgument("the least is 0.01", word);
  // More than the kernel's largest number of CPUs is a slip of the hand, and would overflow the quota.
  if (cpus > 8192) throw invalidArgument("that is more than Linux can have", word);
  return cpus;
}

/** include/linux/threads.h, PID_MAX_LIMIT: the kernel takes no higher limit. */
const MOST_PROCESSES = 4 * 1024 * 1024;

/** Number of processes; 0 and below mean no limit, as in docker. */
export function parsePidsLimit(limit: number): number | null {
  if (limit > MOST_PROCESSES) {
    throw invalidArgument("that is more than Linux can have", { flag: "--pids-limit", text: String(limit) });
  }
  return limit <= 0 ? null : limit;
}

const ULIMITS: readonly UlimitName[] = [
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
];

/** `NAME=SOFT[:HARD]`; -1 is unlimited. */
export function parseUlimit(text: string): UlimitRequest {
  const word = { flag: "--ulimit", text };
  const match = /^([^=]*)=(-1|[0-9]+)(?::(-1|[0-9]+))?$/.exec(text);
  if (match === null) throw invalidArgument("not NAME=SOFT[:HARD]", word);
  const name = ULIMITS.find((known) => known === match[1]);
  if (name === undefined) {
    throw invalidArgument(`"${match[1]}" is not a limit${didYouMean(match[1] ?? "", ULIMITS)}`, word);
  }
  const soft = Number(match[2]);
  const hard = Number(match[3] ?? match[2]);
  if (!Number.isSafeInteger(soft) || !Number.isSafeInteger(hard)) throw invalidArgument("the number is too big", word);
  if (hard !== -1 && (soft === -1 || soft > hard)) throw invalidArgument("the soft limit is above the hard one", word);
  return { name, soft, hard };
}

/** Settings of the IPC namespace that docker admits; with `net.` and `fs.mqueue.` these are all namespaced ones. */
const IPC_SYSCTLS = "msgmax msgmnb msgmni sem shmall shmmax shmmni shm_rmid_forced";

/** Adds `NAME=VALUE` for a setting that belongs to the container's namespaces. */
export function addSysctl(sysctls: Map<string, string>, text: string): void {
  const word = { flag: "--sysctl", text };
  const equals = text.indexOf("=");
  if (equals <= 0) throw invalidArgument("not NAME=VALUE", word);
  const name = text.slice(0, equals);
  // A name becomes a path under /proc/sys: "/" may stand in it (net.ipv4.conf.eth0/1.forwarding), ".." may not.
  if (!/^[a-z0-9_]+(\.[a-zA-Z0-9_:/-]+)+$/.test(name)) throw invalidArgument("not the name of a setting", word);
  const isIpc = name.startsWith("kernel.") && IPC_SYSCTLS.split(" ").includes(name.slice(7));
  if (!isIpc && !name.startsWith("net.") && !name.startsWith("fs.mqueue.")) {
    throw invalidArgument("it belongs to the whole host, not to a container", word);
  }
  sysctls.set(name, text.slice(equals + 1));
}
