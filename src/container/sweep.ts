/** Clears away what containers left whose supervisor was killed: processes, groups, links, leases, layers, files. */
import { findCgroup } from "../kernel/cgroup.ts";
import { listDirectory, readText } from "../kernel/files.ts";
import { isKernelError } from "../../ffi/errno.ts";
import { awaitEnd, openProcess, signalPidfd } from "../kernel/pidfd.ts";
import { forgetJoins } from "../network/join.ts";
import { releaseLeasesOf } from "../network/lease.ts";
import { removeLeftovers } from "../network/sweep.ts";
import { removeLayer } from "../rootfs/layer.ts";
import { leaveDirectory } from "../rootfs/mount_points.ts";
import { removeTree } from "../rootfs/remove_tree.ts";
import { removeUnfinished } from "../rootfs/unpack.ts";
import { type HeldRecord, readRecord } from "../store/containers.ts";
import { forgetHalfRemembered } from "../store/networks.ts";
import type { Paths } from "../store/paths.ts";

const SIGKILL = 9;
/** How long a killed process may take to end, in milliseconds. */
const KILL_TIMEOUT = 5000;

/** Clears away dead containers, each as a whole; goes on through errors and throws them together. */
export function clearAway(paths: Paths, dead: readonly HeldRecord[]): void {
  const failures: unknown[] = [];
  for (const held of dead) {
    using record = held;
    try {
      clearOne(paths, record);
    } catch (error) {
      failures.push(new Error(`Cannot clear away what container "${record.record.name}" left`, { cause: error }));
    }
  }
  removeUnfinished(paths);
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, "Cannot clear away what dead containers left");
}

/** In this order: who might still use a thing ends first, the record goes last. */
function clearOne(paths: Paths, held: HeldRecord): void {
  const { id, name, process, attachment, directory, rootfs } = held.record;
  // A set-uid command outlives its supervisor: execve has cleared its parent-death signal.
  using pidfd = process ? openProcess(process) : undefined;
  if (pidfd) {
    signalPidfd(pidfd.fd, SIGKILL);
    awaitEnd(pidfd.fd, KILL_TIMEOUT);
  }
  findCgroup(id).remove();
  if (attachment) {
    removeLeftovers(attachment);
    releaseLeasesOf(paths, attachment.network, id);
    forgetHalfRemembered(paths, attachment.network, name);
  } else for (const network of ["bridge", "ptp"]) releaseLeasesOf(paths, network, id);
  forgetJoins(paths, id);
  removeLayer(paths, id);
  removeTree(paths.containerRun(id));
  if (directory !== null) leaveDirectory({ paths, key: directory, id }, rootfs);
  held.remove();
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
