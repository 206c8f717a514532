/** Files and directories of the host as detached mounts, to be attached inside a container. */
import { isKernelError } from "../../ffi/errno.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { fileStatus } from "../kernel/file_status.ts";
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_RDONLY, MS_PRIVATE } from "../kernel/mount_flags.ts";
import { changeMount, cloneMount } from "../kernel/mounts.ts";
import { UserError } from "../user_error.ts";

/** A bind that is asked for. */
export interface BindSource {
  /** Absolute path of the host; links are followed. */
  readonly source: string;
  readonly readOnly: boolean;
  readonly nodev: boolean;
  /** With what is mounted below it. */
  readonly recursive: boolean;
}

/** A bind that was taken: a detached mount, to be closed once the child has attached it. */
export interface TakenBind {
  readonly tree: Descriptor;
  readonly kind: "file" | "directory";
}

/**
 * Takes a detached mount. Private: a copy of a shared mount would else belong to the host's peer group, and what is
 * mounted in the container would appear on the host. Throws a {@link UserError} where there is no such source.
 */
export function takeBind({ source, readOnly, nodev, recursive }: BindSource): TakenBind {
  const tree = clone(source, recursive);
  try {
    const set = (readOnly ? MOUNT_ATTR_RDONLY : 0) | (nodev ? MOUNT_ATTR_NODEV : 0);
    changeMount(tree.fd, { set, propagation: MS_PRIVATE, recursive, subject: source });
    return { tree, kind: fileStatus(tree.fd).type === "directory" ? "directory" : "file" };
  } catch (error) {
    tree.close();
    throw error;
  }
}

function clone(source: string, recursive: boolean): Descriptor {
  try {
    return cloneMount(source, { recursive });
  } catch (error) {
    if (!isKernelError(error, "ENOENT", "ENOTDIR")) throw error;
    throw new UserError(`The mount's source "${source}" does not exist`, { cause: error });
  }
}
