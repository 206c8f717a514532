/** Clears away what containers left whose supervisor was killed: processes, groups, links, leases, layers, files. */
import { findCgroup } from "../kernel/cgroup.ts";
import { listDirectory } from "../kernel/directories.ts";
import { readText } from "../kernel/files.ts";
import { errnoNumber, isKernelError, KernelError } from "../../ffi/errno.ts";
import { awaitEnd, openProcess, signalPidfd } from "../kernel/pidfd.ts";
import { forgetJoins } from "../network/join.ts";
import { releaseLeasesOf } from "../network/lease.ts";
import { removeLeftovers } from "../network/sweep.ts";
import { removeLayer } from "../rootfs/layer.ts";
import { leaveDirectory } from "../rootfs/mount_points.ts";
import { removeTree } from "../rootfs/remove_tree.ts";
import { removeUnfinished } from "../rootfs/unpack.ts";
import { type ContainerRecord, type HeldRecord, readRecord } from "../store/containers.ts";
import { forgetHalfRemembered } from "../store/networks.ts";
import type { Paths } from "../store/paths.ts";

const SIGKILL = 9;
/** How long a killed process may take to end, in milliseconds. */
const KILL_TIMEOUT = 5000;

/** What is cleared away, and who hears of what cannot be. */
export interface ClearOptions {
  readonly dead: readonly HeldRecord[];
  /** Is told of each container of which something is left. */
  warn(error: Error): void;
}

/** Clears away dead containers, each as far as it can be: one of which something is left keeps its record. */
export function clearAway(paths: Paths, { dead, warn }: ClearOptions): void {
  for (const held of dead) {
    using record = held;
    const failures = clearOne(paths, record);
    if (failures.length === 0) continue;
    const cause = failures.length === 1 ? failures[0] : new AggregateError(failures, "");
    warn(new Error(`Cannot clear away all that container "${record.record.name}" left`, { cause }));
  }
  removeUnfinished(paths);
}

/** In this order: who might still use a thing ends first, the record goes last, and only if nothing is left. */
function clearOne(paths: Paths, held: HeldRecord): unknown[] {
  const { id, name, attachment, directory, rootfs } = held.record;
  const networks = attachment ? [attachment.network] : ["bridge", "ptp"];
  const failures = goThrough([
    () => findCgroup(id).kill(), // first, for a process that is frozen with its group ends no sooner
    () => endProcess(held.record),
    () => findCgroup(id).remove(),
    () => attachment && removeLeftovers(attachment),
    ...networks.map((network) => () => releaseLeasesOf(paths, network, id)),
    () => attachment && forgetHalfRemembered(paths, attachment.network, name),
    () => forgetJoins(paths, id),
    () => removeLayer(paths, id),
    () => removeTree(paths.containerRun(id)),
    () => directory !== null && leaveDirectory({ paths, key: directory, id }, rootfs),
  ]);
  return failures.length > 0 ? failures : goThrough([() => held.remove()]);
}

/** Does one after the other, also when one fails. */
function goThrough(actions: readonly (() => unknown)[]): unknown[] {
  const failures: unknown[] = [];
  for (const action of actions) {
    try {
      action();
    } catch (error) {
      failures.push(error);
    }
  }
  return failures;
}

/** A set-uid command outlives its supervisor: execve has cleared its parent-death signal. */
function endProcess({ process }: ContainerRecord): void {
  if (!process) return;
  using pidfd = openProcess(process);
  if (!pidfd) return;
  signalPidfd(pidfd.fd, SIGKILL);
  if (awaitEnd(pidfd.fd, KILL_TIMEOUT)) return;
  throw new KernelError({ operation: "end", subject: `process ${process.pid}`, errno: errnoNumber("ETIMEDOUT") });
}

/**
 * Removes the layers of containers that ended with the machine: under the data root they have outlived their records.
 * One that is mounted somewhere belongs to a container of another run root.
 */
export function clearAfterBoot(paths: Paths): void {
  const left = layersWithoutRecord(paths);
  if (left.length === 0) return;
  const mounted = allMounts();
  for (const id of left) if (!mounted.includes(id)) removeLayer(paths, id);
  removeUnfinished(paths);
}

/** A layer is made after its record and removed before it. */
function layersWithoutRecord(paths: Paths): string[] {
  return listIfThere(paths.containerDataDirectory).filter((id) => readRecord(paths, id) === undefined);
}

/** The mounts of every process, as the kernel prints them. */
function allMounts(): string {
  return listDirectory("/proc").filter((name) => /^[0-9]+$/.test(name)).map((pid) => {
    try {
      return readText(`/proc/${pid}/mountinfo`);
    } catch (error) {
      if (isKernelError(error, "ENOENT", "ESRCH", "EINVAL")) return ""; // it has ended
      throw error;
    }
  }).join("");
}

function listIfThere(path: string): string[] {
  try {
    return listDirectory(path);
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return [];
    throw error;
  }
}
