/**
 * A container's control group: made, limited, killed and removed, in whichever hierarchies this host has.
 *
 * Measured, per hierarchy: mkdir 0.06 ms, joining by a write to cgroup.procs 0.1 ms (it waits for every fork on
 * the machine), rmdir 0.04 ms. A child that is cloned into a group of version 2 (CLONE_INTO_CGROUP) joins for nothing.
 */
import { isKernelError } from "../../ffi/errno.ts";
import { UserError } from "../user_error.ts";
import {
  CGROUP_PARENT,
  type CgroupDirectory,
  type CgroupHierarchies,
  type CgroupLimits,
  type DeviceRule,
  parseHierarchies,
  planCgroup,
} from "./cgroup_hierarchies.ts";
import type { Descriptor } from "./descriptor.ts";
import { makeDirectory, readDirectory, removeDirectory } from "./directories.ts";
import { pathStatus } from "./file_status.ts";
import { openFile, readText, writeText } from "./files.ts";
import { O_DIRECTORY } from "./open_flags.ts";
import { awaitEnd, openPidfd, signalPidfd } from "./pidfd.ts";
import { UndoStack } from "../undo.ts";

const SIGKILL = 9;
/** How long the end of killed processes is awaited, in milliseconds: one in an uninterruptible wait may take longer. */
const KILL_TIMEOUT = 5000;

let found: CgroupHierarchies | undefined;

/** This host's hierarchies, read once. */
export function cgroupHierarchies(): CgroupHierarchies {
  return found ??= parseHierarchies(readText("/proc/self/mountinfo"));
}

/** A container's control group. */
export class Cgroup {
  readonly #directories: readonly CgroupDirectory[];

  constructor(directories: readonly CgroupDirectory[]) {
    this.#directories = directories;
  }

  /** Files to which a process writes "0" to join, version 2's included. */
  get joinPaths(): string[] {
    return this.#directories.map(({ members }) => `${members}/cgroup.procs`);
  }

  /** Those of version 1 alone: for a child that is cloned into version 2's group. */
  get legacyJoinPaths(): string[] {
    return this.#directories.filter(({ version }) => version === 1).map(({ members }) => `${members}/cgroup.procs`);
  }

  /** The directory of version 2, if there is one. */
  get unifiedPath(): string | undefined {
    return this.#unified()?.path;
  }

  #unified(): CgroupDirectory | undefined {
    for (const directory of this.#directories) if (directory.version === 2) return directory;
    return undefined;
  }

  /** Version 2's directory, opened for CLONE_INTO_CGROUP. */
  openUnified(): Descriptor | undefined {
    const unified = this.#unified();
    return unified && openFile(unified.members, { flags: O_DIRECTORY });
  }

  /** The pids of the members that this process's pid namespace can see. */
  members(): number[] {
    const pids = new Set<number>();
    for (const { path } of this.#directories) for (const pid of membersBelow(path)) pids.add(pid);
    return [...pids];
  }

  /**
   * Kills every member, also where the group is frozen or forks, and waits until they have ended: cgroup.kill of
   * version 2 (Linux 5.14), else one after the other, again until there is none. Says whether all have ended in time.
   */
  kill(): boolean {
    const deadline = performance.now() + KILL_TIMEOUT;
    const unified = this.unifiedPath;
    if (unified !== undefined) tryWrite(`${unified}/cgroup.kill`, "1");
    for (;;) {
      const members = this.members();
      if (members.length === 0) return true;
      for (const pid of members) signalMember(pid);
      // A frozen process of version 1 dies only when it thaws.
      for (const { path, version } of this.#directories) if (version === 1) tryWrite(`${path}/freezer.state`, "THAWED");
      if (!awaitEnds(members, deadline)) return false;
    }
  }

  /** Removes the group. A process that is still in it is killed first; what it made below goes, too. */
  remove(): void {
    using all = new UndoStack(); // goes on through errors, and throws them together
    for (const { path, members } of this.#directories.toReversed()) {
      all.defer(() => {
        if (members !== path) tryRemove(members);
        if (tryRemove(path)) return;
        this.kill();
        removeTree(path);
      });
    }
  }
}

/** What a group is to keep. */
export interface CgroupOptions {
  readonly limits: CgroupLimits;
  /** From device_filter.ts, which only a limit of devices in version 2 needs. */
  readonly limitDevices?: (group: number, rules: readonly DeviceRule[]) => void;
}

/** Makes the control group of a container. Throws a {@link UserError} for a limit that this host cannot keep. */
export function createCgroup(id: string, { limits, limitDevices }: CgroupOptions): Cgroup {
  const { directories, missing } = planCgroup(cgroupHierarchies(), { id, limits, unifiedControllers: available() });
  if (missing.length > 0) {
    throw new UserError(
      `This host has no control group hierarchy for ${missing.join(" and ")}, so it cannot be limited`,
    );
  }
  // What was not made is not removed: a read-only file system refuses even that.
  const made: CgroupDirectory[] = [];
  using failed = new UndoStack();
  failed.defer(() => new Cgroup(made).remove());
  for (const directory of directories) {
    make(directory);
    made.push(directory);
    limit(directory, limitDevices);
  }
  failed.move();
  return new Cgroup(directories);
}

/** The group that a container would have, were it made now. Nothing is made. */
export function plannedCgroup(id: string, { limits }: { limits: CgroupLimits }): Cgroup {
  return new Cgroup(planCgroup(cgroupHierarchies(), { id, limits, unifiedControllers: available() }).directories);
}

/** The control group that a container has, whatever its limits: for a sweep after its supervisor has died. */
export function findCgroup(id: string): Cgroup {
  const { unified, legacy } = cgroupHierarchies();
  const mountPoints = new Set([unified, ...Object.values(legacy)].filter((mountPoint) => mountPoint !== undefined));
  const directories: CgroupDirectory[] = [];
  for (const mountPoint of mountPoints) {
    const path = `${mountPoint}/${CGROUP_PARENT}/${id}`;
    if (!pathStatus(path)) continue;
    directories.push({ version: mountPoint === unified ? 2 : 1, mountPoint, path, members: path, writes: [] });
  }
  return new Cgroup(directories);
}

/**
 * Removes our own directory from every hierarchy; one that still holds a container's group stays, and one that lies in a
 * hierarchy which is read-only now.
 */
export function removeCgroupParents(): void {
  const { unified, legacy } = cgroupHierarchies();
  for (const mountPoint of new Set([unified, ...Object.values(legacy)])) {
    if (mountPoint !== undefined) tryRemove(`${mountPoint}/${CGROUP_PARENT}`, "EROFS");
  }
}

let unifiedControllers: readonly string[] | undefined;

/** The controllers that version 2 has here: a controller belongs to one version at a time. */
function available(): readonly string[] {
  const { unified } = cgroupHierarchies();
  if (unified === undefined) return [];
  return unifiedControllers ??= readText(`${unified}/cgroup.controllers`).trim().split(" ");
}

function make({ version, mountPoint, path, writes }: CgroupDirectory): void {
  const parent = `${mountPoint}/${CGROUP_PARENT}`;
  if (version === 2) {
    const needed = new Set(writes.map(({ controller }) => controller));
    // Version 2 hands a controller down one level at a time, from groups without processes of their own.
    if (needed.size > 0) {
      makeDirectory(parent);
      handDown(needed, [mountPoint, parent]);
    }
  }
  try {
    makeDirectory(path);
  } catch (error) {
    if (!isKernelError(error, "ENOENT")) throw error;
    makeDirectory(parent); // the first container, or the first after a reboot
    makeDirectory(path);
  }
}

function limit(
  { path, members, writes, devices }: CgroupDirectory,
  limitDevices: CgroupOptions["limitDevices"],
): void {
  for (const { file, value, optional } of writes) {
    if (optional) tryWrite(`${path}/${file}`, value);
    else writeText(`${path}/${file}`, value);
  }
  if (devices) {
    using group = openFile(path, { flags: O_DIRECTORY });
    if (!limitDevices) throw new Error("nobody was named who limits devices");
    limitDevices(group.fd, devices);
  }
  if (members !== path) makeDirectory(members);
}

/**
 * Has a group, and the one below it, hand controllers down; where one of them refuses, both are as before. Throws a
 * {@link UserError} for a group that has processes of its own and is not the root: some controllers refuse it, others
 * make it one whose children can have no process any more (cgroups(7), "Threaded subtrees").
 */
function handDown(controllers: ReadonlySet<string>, groups: readonly [upper: string, lower: string]): void {
  using failed = new UndoStack();
  for (const group of groups) {
    const file = `${group}/cgroup.subtree_control`;
    const handed = readText(file).trim().split(" ");
    const missing = [...controllers].filter((controller) => !handed.includes(controller));
    if (missing.length === 0) continue;
    if (pathStatus(`${group}/cgroup.type`) && readText(`${group}/cgroup.procs`) !== "") {
      throw new UserError(`Processes are in the control group ${group}, so no container below it can be limited`);
    }
    writeText(file, missing.map((controller) => `+${controller}`).join(" "));
    failed.defer(() => writeText(file, missing.map((controller) => `-${controller}`).join(" ")));
  }
  failed.move();
}

/** Writes a file that the kernel may not have (ENOENT; EACCES, which is what opening O_WRONLY a missing one may give). */
function tryWrite(path: string, text: string): void {
  try {
    writeText(path, text);
  } catch (error) {
    if (!isKernelError(error, "ENOENT", "EACCES", "ENODEV", "EOPNOTSUPP")) throw error;
  }
}

function membersBelow(path: string): number[] {
  try {
    const own = readText(`${path}/cgroup.procs`).split("\n").filter((line) => line !== "").map(Number);
    return [...own, ...subdirectories(path).flatMap((name) => membersBelow(`${path}/${name}`))];
  } catch (error) {
    if (isKernelError(error, "ENOENT", "ENODEV")) return []; // removed meanwhile
    throw error;
  }
}

function subdirectories(path: string): string[] {
  using directory = openFile(path, { flags: O_DIRECTORY });
  return readDirectory(directory.fd, path).filter((name) => pathStatus(`${path}/${name}`)?.type === "directory");
}

function signalMember(pid: number): void {
  if (pid === 0) return; // a process that this pid namespace cannot see
  using pidfd = openPidfd(pid);
  if (pidfd) signalPidfd(pidfd.fd, SIGKILL);
}

/** Waits for killed processes: their pidfds say when they have left the group. */
function awaitEnds(pids: readonly number[], deadline: number): boolean {
  for (const pid of pids) {
    using pidfd = openPidfd(pid);
    if (pidfd && !awaitEnd(pidfd.fd, deadline - performance.now())) return false;
  }
  return performance.now() < deadline;
}

function tryRemove(path: string, ...tolerated: readonly "EROFS"[]): boolean {
  try {
    removeDirectory(path);
    return true;
  } catch (error) {
    if (isKernelError(error, "EBUSY", "ENOTEMPTY", ...tolerated)) return false;
    throw error;
  }
}

function removeTree(path: string): void {
  if (!pathStatus(path)) return;
  for (const name of subdirectories(path)) removeTree(`${path}/${name}`);
  removeDirectory(path);
}
