/**
 * What the host has, as a detached mount of a container's own: private, for a copy of a shared mount would else belong
 * to the host's peer group, and what is mounted in the container would appear on the host.
 */
import type { Descriptor } from "../kernel/descriptor.ts";
import { fileStatus, mountFlags } from "../kernel/file_status.ts";
import { openFile, pathOf, readText } from "../kernel/files.ts";
import { MS_PRIVATE } from "../kernel/mount_flags.ts";
import { mountsOn } from "../kernel/mountinfo.ts";
import { changeMount, cloneMount } from "../kernel/mounts.ts";
import { AT_FDCWD, O_PATH } from "../kernel/open_flags.ts";
import { UserError } from "../user_error.ts";

/** A detached mount, to be closed once the child has attached it. */
export interface TakenMount {
  readonly tree: Descriptor;
  /**
   * MS_* with which the child must remount it, and make it private, once it is attached: before Linux 5.12 nothing can be
   * changed of a detached mount. Undefined where all is done.
   */
  readonly late: number | undefined;
}

/** What is taken, and how. */
export interface Taking {
  /** Where a relative path begins; with an empty path the thing itself. */
  readonly directory?: number;
  /** With everything that is mounted below it. */
  readonly recursive?: boolean;
  /** MOUNT_ATTR_* that the copy gets; those that fsmount(2) and mount(2) share. */
  readonly set: number;
  /** For errors: the path, unless that is empty. */
  readonly subject?: string;
}

/** Takes a detached mount of a path. Throws a KernelError where there is none. */
export function takeMount(path: string, { directory, recursive = false, set, subject = path }: Taking): TakenMount {
  const tree = cloneMount(path, { ...(directory === undefined ? {} : { directory }), recursive });
  try {
    if (changeMount(tree.fd, { set, propagation: MS_PRIVATE, recursive, subject })) return { tree, late: undefined };
    if (recursive) refuseNested(path, { directory, subject });
    return { tree, late: set | mountFlags(tree.fd) };
  } catch (error) {
    tree.close();
    throw error;
  }
}

/**
 * mount(2) changes one mount at a time, so what lies below would stay as it is: with its device nodes, say. Looked at after
 * the copy was taken: who unmounts something in between is the host's root.
 */
function refuseNested(path: string, { directory, subject }: { directory: number | undefined; subject: string }): void {
  using place = openFile(path === "" ? "." : path, { directory: directory ?? AT_FDCWD, flags: O_PATH });
  const real = pathOf(place.fd);
  const below = real === "/" ? real : `${real}/`;
  const { mountId } = fileStatus(place.fd);
  const nested = mountsOn(mountId, readText("/proc/self/mountinfo")).find((point) => {
    return point === real || point.startsWith(below);
  });
  if (nested === undefined) return;
  throw new UserError(
    `Something is mounted below "${subject}", on "${nested}", which only Linux 5.12 and later can give to a container`,
  );
}
