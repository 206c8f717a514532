/** From the host's tree to the container's: mount propagation, the root file system, pivot_root. Pure. */
import type { Argument, Item } from "../../ffi/program.ts";
import {
  MNT_DETACH,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_BIND,
  MS_NODEV,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
} from "../kernel/mount_flags.ts";
import { AT_EMPTY_PATH, AT_FDCWD } from "../kernel/open_flags.ts";
import { UserError } from "../user_error.ts";
import { call, type CallNotes, type ContainerStep, shellWord } from "./container_step.ts";
import { makeFilesystem, type MountingKernel, ROOT } from "./mount_plan.ts";

const EMPTY = { text: "" };
const MOUNT_ATTR_SIZE = 32;
const W_OK = 2; // access(2)

/** Where the root file system comes from. */
export type RootInputs =
  /** A detached mount that the parent has taken of a directory. */
  | {
    readonly kind: "directory";
    readonly path: string;
    readonly tree: number;
    /** MS_* of a tree that is changed only once it is attached, on old kernels. */
    readonly late: number | undefined;
  }
  /** An overlay over a read-only tree: absolute paths of the host. */
  | {
    readonly kind: "overlay";
    readonly lower: string;
    readonly upper: string;
    readonly work: string;
    /** A directory, above the two, on which a tmpfs is mounted first; null where they lie on a disk. */
    readonly memory: string | null;
  };

/**
 * No mount event passes between the host and the container, in either direction: private, not slave, because what
 * the host mounts or unmounts later is none of the container's business, and the copy of the host's tree is given
 * up a moment later anyway. Recursive, or giving it up would unmount on the host what lies below a shared mount.
 */
export function planPropagation(): ContainerStep {
  const notes = { operation: "make private", subject: "all mounts" };
  return {
    group: "propagation",
    command: "mount --make-rprivate /",
    items: [call("mount", [0, { text: "/" }, 0, MS_REC | MS_PRIVATE, 0], notes)],
  };
}

/** Mounts the root file system and makes it the root of this process. */
export function planRoot(root: RootInputs, { nodev }: { nodev: boolean }): ContainerStep[] {
  if (root.kind === "directory") return [planDirectory(root), planPivot(root)];
  return [...planMemory(root), planOverlay(root, nodev), planPivot(root)];
}

/** The layer in memory, in this mount namespace alone: it ends with the container. */
function planMemory({ memory, upper, work }: RootInputs & { kind: "overlay" }): ContainerStep[] {
  if (memory === null) return [];
  const notes = { operation: "make the writable layer in", subject: memory };
  const flags = MS_NOSUID | MS_NODEV;
  const items: Item[] = [
    call("mount", [{ text: "tmpfs" }, { text: memory }, { text: "tmpfs" }, flags, { text: "mode=700" }], notes),
    call("mkdirat", [AT_FDCWD, { text: upper }, 0o755], notes),
    call("mkdirat", [AT_FDCWD, { text: work }, 0o700], notes),
  ];
  const words = [upper, work].map(shellWord).join(" ");
  const command = `mount -t tmpfs -o nosuid,nodev,mode=700 tmpfs ${shellWord(memory)} && mkdir ${words}`;
  return [{ group: "root", command, items }];
}

/** The overlay as a mount attached to nothing yet: it never has a place in the host's tree. */
function planOverlay({ lower, upper, work }: RootInputs & { kind: "overlay" }, nodev: boolean): ContainerStep {
  for (const path of [lower, upper, work]) checkLayerPath(path);
  const layers = [`lowerdir=${lower}`, `upperdir=${upper}`, `workdir=${work}`];
  // "volatile": else the end of each container would wait until the whole disk is synced. The layer is not kept.
  const options = [...(nodev ? ["nodev"] : []), ...layers, "volatile"];
  const filesystem = { type: "overlay", source: "overlay", options, destination: "/" };
  return {
    group: "root",
    command: `mount -t overlay -o ${shellWord(options.join(","))} overlay /mnt`,
    // Where overlayfs cannot make what it needs in the work directory, the disk being full, it is read-only all the same.
    items: [
      ...makeFilesystem(filesystem, "root"),
      call("faccessat", [ROOT, { text: "." }, W_OK], { operation: "write to", subject: "the container's own layer" }),
    ],
  };
}

/** overlayfs takes ":" for a separator and "\" for an escape, and fsconfig(2) no more than 255 bytes. */
function checkLayerPath(path: string): void {
  if (/[:\\,]/.test(path)) throw new UserError(`The data root must have no ":", "," or "\\" in its path: ${path}`);
  if (Buffer.byteLength(path) > 255) throw new UserError(`The data root's path is too long: ${path}`);
}

function planDirectory({ path, tree }: RootInputs & { kind: "directory" }): ContainerStep {
  // A second descriptor gives the parent's tree the name that all later steps use.
  const notes = { operation: "take the root file system of", subject: path };
  const F_DUPFD_CLOEXEC = 1030;
  return {
    group: "root",
    command: `mount --rbind -o nodev,private ${shellWord(path)} /mnt`,
    items: [call("fcntl", [tree, F_DUPFD_CLOEXEC, 3], { as: "root", ...notes })],
  };
}

/**
 * The new root is mounted over "/", in this mount namespace alone, then exchanged with it; the old one, which then
 * lies on top of the new one, is given up with everything below it (pivot_root(2), "pivot_root(".", ".")").
 */
function planPivot(root: RootInputs): ContainerStep {
  const late = root.kind === "directory" ? root.late : undefined;
  const subject = "the container's root file system";
  const place = { operation: "put in place", subject };
  const settle = { operation: "change the mount of", subject };
  const pivot = { operation: "change the root to", subject };
  const items: Item[] = [
    call("move_mount", [ROOT, EMPTY, AT_FDCWD, { text: "/" }, MOVE_MOUNT_F_EMPTY_PATH], place),
    call("fchdir", [ROOT], place),
    ...(late === undefined ? [] : [
      call("mount", [0, { text: "." }, 0, MS_REC | MS_PRIVATE, 0], settle), // a shared one is refused
      remountRoot(late, settle),
    ]),
    call("pivot_root", [{ text: "." }, { text: "." }], pivot),
    call("umount2", [{ text: "." }, MNT_DETACH], { operation: "give up", subject: "the host's mounts" }),
    call("chdir", [{ text: "/" }], place),
  ];
  return { group: "root", command: "cd /mnt && pivot_root . . && umount -l . && cd /", items };
}

/** Gives the root file system flags, while the working directory is there. */
function remountRoot(flags: number, notes: CallNotes): Item {
  return call("mount", [0, { text: "." }, 0, MS_REMOUNT | MS_BIND | flags, 0], notes);
}

/** Makes the root file system read-only, after mount points were made in it; what is mounted in it stays as it is. */
export function planReadonlyRoot(
  root: RootInputs,
  { nodev, kernel }: { nodev: boolean; kernel: MountingKernel },
): ContainerStep {
  const attributes: Argument = { words: [MOUNT_ATTR_RDONLY, 0, 0, 0] };
  const notes = { operation: "make read-only", subject: "/" };
  // mount(2) sets all flags at once, so those that it has are told again.
  const former = root.kind === "directory" ? root.late ?? 0 : nodev ? MS_NODEV : 0;
  return {
    group: "masks",
    command: "mount -o remount,bind,ro /",
    items: kernel.changesMounts
      ? [call("mount_setattr", [ROOT, EMPTY, AT_EMPTY_PATH, attributes, MOUNT_ATTR_SIZE], notes)]
      : [call("fchdir", [ROOT], notes), remountRoot(former | MS_RDONLY, notes)],
  };
}
