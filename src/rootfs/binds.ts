/** Files and directories of the host as detached mounts, to be attached inside a container. */
import { isKernelError } from "../../ffi/errno.ts";
import { fileStatus } from "../kernel/file_status.ts";
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_RDONLY } from "../kernel/mount_flags.ts";
import { UserError } from "../user_error.ts";
import { takeMount, type TakenMount, type Taking } from "./taken_mount.ts";

/** A bind that is asked for. */
export interface BindSource {
  /** Absolute path of the host; links are followed. */
  readonly source: string;
  readonly readOnly: boolean;
  readonly nodev: boolean;
  /** With what is mounted below it. */
  readonly recursive: boolean;
}

/** A bind that was taken. */
export interface TakenBind extends TakenMount {
  readonly kind: "file" | "directory";
}

/** Takes a detached mount. Throws a {@link UserError} where there is no such source. */
export function takeBind({ source, readOnly, nodev, recursive }: BindSource): TakenBind {
  const set = (readOnly ? MOUNT_ATTR_RDONLY : 0) | (nodev ? MOUNT_ATTR_NODEV : 0);
  const taken = take(source, { set, recursive });
  try {
    return { ...taken, kind: fileStatus(taken.tree.fd).type === "directory" ? "directory" : "file" };
  } catch (error) {
    taken.tree.close();
    throw error;
  }
}

function take(source: string, taking: Taking): TakenMount {
  try {
    return takeMount(source, taking);
  } catch (error) {
    if (!isKernelError(error, "ENOENT", "ENOTDIR")) throw error;
    throw new UserError(`The mount's source "${source}" does not exist`, { cause: error });
  }
}
