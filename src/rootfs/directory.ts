/**
 * A directory of the host as a root file system, used in place: what the container writes stays; what had to be made
 * so that something could be mounted is removed again.
 */
import { isKernelError } from "../../ffi/errno.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { fileStatus, pathStatus } from "../kernel/files.ts";
import { MOUNT_ATTR_NODEV, MS_PRIVATE } from "../kernel/mount_flags.ts";
import { changeMount, cloneMount } from "../kernel/mounts.ts";
import { UserError } from "../user_error.ts";
import { ContainerRoot, type MadeEntry } from "./root.ts";

/** A mount point that a container needs. */
export interface NeededMountPoint {
  readonly path: string;
  readonly kind: "file" | "directory";
}

/** Opens the directory. Throws a {@link UserError} where it cannot be a root file system. */
export function openDirectoryRoot(path: string): ContainerRoot {
  const refused = (why: string, cause?: unknown) => new UserError(`The root file system "${path}" ${why}`, { cause });
  try {
    using undo = new DisposableStack();
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
 * Makes the mount points that are missing and returns them, outer ones first, to be removed by
 * {@link ContainerRoot.removeMade} when the container has ended. The kernel's own (/proc, /dev, /sys) must be
 * directories themselves: a link could put them where another container of the same root would swap them.
 */
export function prepareDirectory(root: ContainerRoot, needed: readonly NeededMountPoint[]): MadeEntry[] {
  const made: MadeEntry[] = [];
  try {
    for (const path of ["/proc", "/dev", "/sys"]) {
      const status = pathStatus(path.slice(1), { directory: root.fd });
      if (status && status.type !== "directory") {
        throw new UserError(`${path} in the root file system "${root.path}" is not a directory but a ${status.type}`);
      }
      if (!status) made.push(...root.ensure(path, "directory"));
    }
    for (const { path, kind } of needed) made.push(...prepareOne(root, { path, kind }));
    return made;
  } catch (error) {
    root.removeMade(made);
    throw error;
  }
}

function prepareOne(root: ContainerRoot, { path, kind }: NeededMountPoint): MadeEntry[] {
  try {
    const made = root.ensure(path, kind);
    const found = root.kindOf(path);
    if (found === kind) return made;
    throw new UserError(
      `"${path}" in the root file system "${root.path}" is a ${found}, and a ${kind} is to be mounted on it`,
    );
  } catch (error) {
    if (!isKernelError(error, "EROFS")) throw error;
    throw new UserError(`"${path}" is missing in the root file system "${root.path}", which is read-only`, {
      cause: error,
    });
  }
}

/** The directory with everything mounted below it, as a detached mount that no mount event passes. */
export function takeDirectory(root: ContainerRoot, { nodev }: { nodev: boolean }): Descriptor {
  const tree = cloneMount("", { directory: root.fd, recursive: true });
  try {
    changeMount(tree.fd, { set: nodev ? MOUNT_ATTR_NODEV : 0, propagation: MS_PRIVATE, recursive: true });
    return tree;
  } catch (error) {
    tree.close();
    throw error;
  }
}

/**
 * What removes the mount points that were made, once the container has ended. The root is opened anew then: its
 * descriptor need not be kept all the while. If its path leads to another directory by that time (a container that was
 * given the directory above it can put a link to the host's root there), what was made is not in it, and nothing is done.
 */
export function laterRemoval({ path, fd }: ContainerRoot, made: readonly MadeEntry[]): () => void {
  const before = fileStatus(fd);
  return () => {
    try {
      using root = new ContainerRoot(path);
      const { inode, devMajor, devMinor } = fileStatus(root.fd);
      const same = inode === before.inode && devMajor === before.devMajor && devMinor === before.devMinor;
      if (same) root.removeMade(made);
    } catch (error) {
      if (!isKernelError(error, "ENOENT", "ENOTDIR", "ELOOP")) throw error;
    }
  };
}
