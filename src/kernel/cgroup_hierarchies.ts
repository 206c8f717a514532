/**
 * Where control groups are on this host: version 1 (one hierarchy a controller), version 2, or both (hybrid).
 *
 * Pure: from the texts of /proc/self/mountinfo and the limits that are wanted to directories and what to write.
 * Source: cgroups(7), Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
 */
import { unescapePath } from "./mountinfo.ts";

/** Controllers that limits need, and the two that version 2 has without a controller. */
export type Controller = "memory" | "cpu" | "pids" | "freezer" | "devices";

/** The control groups of a host. */
export interface CgroupHierarchies {
  /** The mount point of version 2, alone or beside version 1. */
  readonly unified: string | undefined;
  /** Mount points of version 1 hierarchies by controller. */
  readonly legacy: Readonly<Partial<Record<Controller, string>>>;
}

const CONTROLLERS: readonly Controller[] = ["memory", "cpu", "pids", "freezer", "devices"];

/** The hierarchies in a mountinfo (proc(5)). The first mount of a hierarchy counts. */
export function parseHierarchies(mountinfo: string): CgroupHierarchies {
  let unified: string | undefined;
  const legacy: Partial<Record<Controller, string>> = {};
  for (const line of mountinfo.split("\n")) {
    if (!line.includes(" - cgroup")) continue;
    // ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [OPTIONAL…] - TYPE SOURCE SUPEROPTIONS
    const [mount, filesystem] = line.split(" - ");
    const mountPoint = unescapePath(mount?.split(" ")[4] ?? "");
    const [type, , options = ""] = (filesystem ?? "").split(" ");
    if (type === "cgroup2") unified ??= mountPoint;
    if (type !== "cgroup") continue;
    const names = options.split(",");
    for (const controller of CONTROLLERS) if (names.includes(controller)) legacy[controller] ??= mountPoint;
  }
  return { unified, legacy };
}

/** Devices of one kind. `*` stands for every number. */
export interface DeviceRule {
  /** Block or character device. */
  readonly type: "b" | "c";
  readonly major: number | "*";
  readonly minor: number | "*";
  /** Some of `r`, `w`, and `m` for making a node. */
  readonly access: string;
}

/** A rule as version 1's files take it: `c 1:3 rwm`. */
function describeRule({ type, major, minor, access }: DeviceRule): string {
  return `${type} ${major}:${minor} ${access}`;
}

/** Limits of a control group; what is absent is not limited. */
export interface CgroupLimits {
  /** Bytes. As much again may be swapped, where the host swaps at all: docker's default. */
  readonly memory?: number;
  /** Processors' worth of time: 1.5 is one and a half. */
  readonly cpus?: number;
  /** Processes and threads. */
  readonly pids?: number;
  /** The only devices that may be used. */
  readonly devices?: readonly DeviceRule[];
}

/** One file to write for a limit. */
export interface LimitWrite {
  readonly controller: Controller;
  readonly file: string;
  readonly value: string;
  /** The kernel may have been built without this file (accounting of swap). */
  readonly optional?: boolean;
}

/** The period over which processor time is shared out, in microseconds: the kernel's default. */
const PERIOD = 100_000;

/** What limits are in the files of version 1 or 2, in the order in which they must be written. */
export function limitWrites({ memory, cpus, pids, devices }: CgroupLimits, version: 1 | 2): LimitWrite[] {
  const writes: LimitWrite[] = [];
  if (memory !== undefined && version === 1) {
    // memsw counts both together and must not be less than the limit before it.
    writes.push({ controller: "memory", file: "memory.limit_in_bytes", value: `${memory}` });
    writes.push({ controller: "memory", file: "memory.memsw.limit_in_bytes", value: `${memory * 2}`, optional: true });
  } else if (memory !== undefined) {
    writes.push({ controller: "memory", file: "memory.max", value: `${memory}` });
    writes.push({ controller: "memory", file: "memory.swap.max", value: `${memory}`, optional: true });
  }
  if (cpus !== undefined) {
    const quota = Math.max(1000, Math.round(cpus * PERIOD)); // the kernel refuses less than a millisecond
    if (version === 2) writes.push({ controller: "cpu", file: "cpu.max", value: `${quota} ${PERIOD}` });
    else {
      writes.push({ controller: "cpu", file: "cpu.cfs_period_us", value: `${PERIOD}` });
      writes.push({ controller: "cpu", file: "cpu.cfs_quota_us", value: `${quota}` });
    }
  }
  if (pids !== undefined) writes.push({ controller: "pids", file: "pids.max", value: `${pids}` });
  if (devices !== undefined && version === 1) {
    writes.push({ controller: "devices", file: "devices.deny", value: "a" });
    for (const rule of devices) {
      writes.push({ controller: "devices", file: "devices.allow", value: describeRule(rule) });
    }
  }
  return writes;
}

/** The controllers that limits need. */
function neededControllers({ memory, cpus, pids, devices }: CgroupLimits): Controller[] {
  const needed: Controller[] = [];
  if (memory !== undefined) needed.push("memory");
  if (cpus !== undefined) needed.push("cpu");
  if (pids !== undefined) needed.push("pids");
  if (devices !== undefined) needed.push("devices");
  return needed;
}

/** Our directory in every hierarchy: containers' groups lie in it. */
export const CGROUP_PARENT = "skdocker";

/** One directory of a container's control group. */
export interface CgroupDirectory {
  readonly version: 1 | 2;
  /** The mount point of its hierarchy. */
  readonly mountPoint: string;
  readonly path: string;
  readonly writes: readonly LimitWrite[];
  /** The directory that the container's processes are in: this one, or one below, where they must not reach this. */
  readonly members: string;
  /** Version 2: the devices that a program attached to the group lets through. */
  readonly devices?: readonly DeviceRule[];
}

/**
 * Where a container lives whose devices are limited: a group below the one with the limit. It is the root of what the
 * container can mount of the hierarchy, and from the limit's own group CAP_SYS_ADMIN could take it away.
 */
const MEMBERS = "container";

/** A container's control group as a whole, before it is made. */
export interface CgroupPlan {
  readonly directories: readonly CgroupDirectory[];
  /** Limits that no hierarchy of this host can keep. */
  readonly missing: readonly Controller[];
}

/**
 * The directories of a container's group. Each one costs a start 0.2 ms (made, joined, removed), so there are no
 * more than needed: version 2 where it is mounted, which freezes and kills without a controller, else version 1's
 * freezer; and of version 1 the hierarchies whose limits version 2 does not keep.
 * `unifiedControllers` is what cgroup.controllers at the mount point of version 2 says.
 */
export function planCgroup(
  { unified, legacy }: CgroupHierarchies,
  { id, limits, unifiedControllers }: { id: string; limits: CgroupLimits; unifiedControllers: readonly string[] },
): CgroupPlan {
  const needed = neededControllers(limits);
  const directories: CgroupDirectory[] = [];
  const add = (version: 1 | 2, mountPoint: string, controllers: readonly Controller[]) => {
    const writes = limitWrites(limits, version).filter(({ controller }) => controllers.includes(controller));
    const path = `${mountPoint}/${CGROUP_PARENT}/${id}`;
    const { devices } = controllers.includes("devices") ? limits : {};
    directories.push({
      version,
      mountPoint,
      path,
      writes,
      members: devices ? `${path}/${MEMBERS}` : path,
      ...(devices && version === 2 ? { devices } : {}),
    });
  };
  const byUnified = (controller: Controller) => {
    // Version 2 has no such controller, but programs: where version 1's is mounted, that does.
    if (controller === "devices") return unified !== undefined && legacy.devices === undefined;
    return unified !== undefined && unifiedControllers.includes(controller);
  };
  if (unified !== undefined) add(2, unified, needed.filter(byUnified));
  const rest = needed.filter((controller) => !byUnified(controller));
  if (unified === undefined) rest.push("freezer");
  // Two controllers may share a hierarchy (cpu,cpuacct), hence by mount point.
  for (const mountPoint of new Set(rest.map((controller) => legacy[controller]))) {
    if (mountPoint !== undefined) add(1, mountPoint, rest.filter((controller) => legacy[controller] === mountPoint));
  }
  return { directories, missing: rest.filter((name) => name !== "freezer" && legacy[name] === undefined) };
}
