/**
 * A directory of the host as a root file system, used in place: what the container writes stays; what had to be made
 * so that something could be mounted is removed again.
 */
import { isKernelError } from "../../ffi/errno.ts";
import { pathStatus } from "../kernel/file_status.ts";
import { MOUNT_ATTR_NODEV } from "../kernel/mount_flags.ts";
import { UserError } from "../user_error.ts";
import { ContainerRoot, type MadeEntry } from "./root.ts";
import { UndoStack } from "../undo.ts";
import { takeMount, type TakenMount } from "./taken_mount.ts";

/** A mount point that a container needs. */
export interface NeededMountPoint {
  readonly path: string;
  readonly kind: "file" | "directory";
}

/** Opens the directory. Throws a {@link UserError} where it cannot be a root file system. */
export function openDirectoryRoot(path: string): ContainerRoot {
  const refused = (why: string, cause?: unknown) => new UserError(`The root file system "${path}" ${why}`, { cause });
  try {
    using undo = new UndoStack();
    const root = undo.use(new ContainerRoot(path));
    const [here, host] = [pathStatus(".", { directory: root.fd }), pathStatus("/")];
    if (here && host && here.inode === host.inode && here.mountId === host.mountId) throw refused("is the host's own");
    undo.move();
    return root;
  } catch (error) {
    if (isKernelError(error, "ENOENT")) throw refused("does not exist", error);
    if (isKernelError(error, "ENOTDIR")) throw refused("is not a directory", error);
    throw error;
  }
}

/**
 * Makes the mount points that are missing, outer ones first; each is told just before it is made. The kernel's own (/proc, /dev, /sys) must be
 * directories themselves: a link could put them where another container of the same root would swap them.
 */
export function prepareDirectory(
  root: ContainerRoot,
  { needed, willMake }: { needed: readonly NeededMountPoint[]; willMake: (entry: MadeEntry) => void },
): void {
  for (const path of ["/proc", "/dev", "/sys"]) {
    const status = pathStatus(path.slice(1), { directory: root.fd });
    if (status && status.type !== "directory") {
      throw new UserError(`${path} in the root file system "${root.path}" is not a directory but a ${status.type}`);
    }
    if (!status) root.ensure(path, "directory", willMake);
  }
  for (const mountPoint of needed) prepareOne(root, mountPoint, willMake);
}

function prepareOne(
  root: ContainerRoot,
  { path, kind }: NeededMountPoint,
  willMake: (entry: MadeEntry) => void,
): void {
  try {
    root.ensure(path, kind, willMake);
    const found = root.kindOf(path);
    if (found === kind) return;
    const is = found === undefined ? "leads nowhere" : `is a ${found}`;
    throw new UserError(
      `"${path}" in the root file system "${root.path}" ${is}, and a ${kind} is to be mounted on it`,
    );
  } catch (error) {
    if (!isKernelError(error, "EROFS")) throw error;
    throw new UserError(`"${path}" is missing in the root file system "${root.path}", which is read-only`, {
      cause: error,
    });
  }
}

/** The directory with everything mounted below it, as a detached mount that no mount event passes. */
export function takeDirectory(root: ContainerRoot, { nodev }: { nodev: boolean }): TakenMount {
  const set = nodev ? MOUNT_ATTR_NODEV : 0;
  return takeMount("", { directory: root.fd, recursive: true, set, subject: root.path });
}
