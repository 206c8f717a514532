/** Clears away what containers left whose supervisor was killed: processes, groups, links, leases, layers, files. */
import { findCgroup } from "../kernel/cgroup.ts";
import { pathStatus } from "../kernel/files.ts";
import { awaitEnd, openProcess, signalPidfd } from "../kernel/pidfd.ts";
import { releaseLeasesOf } from "../network/lease.ts";
import { removeLeftovers } from "../network/sweep.ts";
import { removeLayer } from "../rootfs/layer.ts";
import { removeTree } from "../rootfs/remove_tree.ts";
import { ContainerRoot } from "../rootfs/root.ts";
import type { HeldRecord } from "../store/containers.ts";
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
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, "Cannot clear away what dead containers left");
}

/** In this order: who might still use a thing ends first, the record goes last. */
function clearOne(paths: Paths, held: HeldRecord): void {
  const { id, process, attachment, made, rootfs } = held.record;
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
  } else for (const network of ["bridge", "ptp"]) releaseLeasesOf(paths, network, id);
  removeLayer(paths, id);
  removeTree(paths.containerRun(id));
  if (made.length > 0 && pathStatus(rootfs)) {
    using root = new ContainerRoot(rootfs);
    root.removeMade(made);
  }
  held.remove();
}
