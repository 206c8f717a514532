/**
 * The host's device nodes as detached mounts, for a container's /dev.
 *
 * Verified by what was taken, not by its path: the mount first, then a look at the numbers of what it holds. A
 * host whose /dev/null is something else (it happens: a script has replaced it by a file) gets a clear refusal.
 */
import { KernelError } from "../../ffi/errno.ts";
import { readDirectory } from "../kernel/directories.ts";
import { fileStatus, pathStatus } from "../kernel/file_status.ts";
import { openFile } from "../kernel/files.ts";
import { MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY } from "../kernel/mount_flags.ts";
import { O_DIRECTORY } from "../kernel/open_flags.ts";
import { UserError } from "../user_error.ts";
import { UndoStack } from "../undo.ts";
import { takeMount, type TakenMount } from "./taken_mount.ts";

/** A character device by name below /dev, with its numbers. */
export type Device = readonly [name: string, major: number, minor: number];

/**
 * Takes a detached mount of each device, by its path. They are read-only: that does not hinder writing to the
 * device, but changing the mode and the owner of the host's node. The caller closes them.
 */
export function takeDevices(devices: readonly Device[]): Map<string, TakenMount> {
  using undo = new UndoStack();
  const all = new Map<string, TakenMount>();
  for (const device of devices) {
    const taken = takeDevice(device);
    undo.use(taken.tree);
    all.set(`/dev/${device[0]}`, taken);
  }
  undo.move();
  return all;
}

function takeDevice([name, major, minor]: Device): TakenMount {
  const path = `/dev/${name}`;
  const taken = takeNode(path);
  try {
    const status = fileStatus(taken.tree.fd);
    if (status.type !== "character device" || status.rdevMajor !== major || status.rdevMinor !== minor) {
      throw new UserError(
        `The host's ${path} is not the character device ${major}:${minor}, so no container can have it`,
      );
    }
    return taken;
  } catch (error) {
    taken.tree.close();
    throw error;
  }
}

function takeNode(path: string): TakenMount {
  try {
    return takeMount(path, { set: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC });
  } catch (error) {
    if (!(error instanceof KernelError) || error.code !== "ENOENT") throw error;
    throw new UserError(`The host has no ${path}`, { cause: error });
  }
}

/** A node of the host's. */
export interface DeviceNode {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What is not the host's own in its /dev, or is another thing in each container: docker's list. */
const NOT_TAKEN = ["pts", "shm", "fd", "mqueue", "console", ".lxc", ".lxd-mounts", ".udev"];

/** All device nodes in the host's /dev and below, for a container that is to have them. */
export function hostDevices(directory = "/dev"): DeviceNode[] {
  const nodes: DeviceNode[] = [];
  using open = openFile(directory, { flags: O_DIRECTORY });
  for (const name of readDirectory(open.fd, directory).sort()) {
    if (directory === "/dev" && NOT_TAKEN.includes(name)) continue;
    const path = `${directory}/${name}`;
    const status = pathStatus(path);
    if (status?.type === "directory") nodes.push(...hostDevices(path));
    if (status?.type !== "character device" && status?.type !== "block device") continue;
    const { rdevMajor: major, rdevMinor: minor, mode, uid, gid } = status;
    const type = status.type === "block device" ? "b" : "c";
    nodes.push({ path, type, major, minor, fileMode: mode & 0o777, uid, gid });
  }
  return nodes;
}
