/** Hiding and protecting paths of /proc and /sys, as items for the child. Pure. */
import type { Argument, Item } from "../../ffi/program.ts";
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../kernel/mount_flags.ts";
import { AT_EMPTY_PATH, AT_RECURSIVE } from "../kernel/open_flags.ts";
import { call, type CallNotes, type ContainerStep } from "./container_step.ts";
import { MASKED_DIRECTORIES } from "./mask.ts";
import { attach, belowSystemMount, makeFilesystem, type MountingKernel } from "./mount_plan.ts";

const EMPTY = { text: "" };
const CLONE = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
/** struct mount_attr: attr_set, attr_clr, propagation, userns_fd. */
const PROTECTED = { words: [MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, 0, 0] };
const MOUNT_ATTR_SIZE = 32;

/**
 * Covers each path: a file by the null device, a directory by one empty tmpfs for all of them. What is not there
 * (ENOENT) needs no mask; any other refusal is a failure. `nullDevice` is the mount that has been attached at
 * /dev/null: never a path, which could be made to lead elsewhere.
 */
export function planMasks(paths: readonly string[], nullDevice: Argument): ContainerStep[] {
  const directories = paths.filter((path) => MASKED_DIRECTORIES.includes(path));
  if (directories.length > 0 && !directories.includes(ALWAYS_THERE)) throw new Error(`${ALWAYS_THERE} is not masked`);
  return [
    ...directories.filter((path) => path === ALWAYS_THERE).map(planEmptyDirectory),
    ...directories.filter((path) => path !== ALWAYS_THERE).map((path): ContainerStep => ({
      group: "masks",
      command: `[ ! -e ${path} ] || mount -t tmpfs -o ${EMPTY_DIRECTORY_OPTIONS.join(",")} tmpfs ${path}`,
      items: coverByClone({ result: EMPTY_DIRECTORY }, path),
    })),
    ...paths.filter((path) => !directories.includes(path)).map((path): ContainerStep => ({
      group: "masks",
      command: `[ ! -e ${path} ] || mount --bind /dev/null ${path}`,
      items: coverByClone(nullDevice, path),
    })),
  ];
}

/**
 * Every kernel with a sysfs has it (drivers/base/firmware.c), so the empty directory is attached there, and taken from
 * there for the others: before Linux 6.15 nothing can be taken of a detached mount.
 */
const ALWAYS_THERE = "/sys/firmware";
const EMPTY_DIRECTORY = "empty directory";
const EMPTY_DIRECTORY_OPTIONS = ["ro", "nosuid", "nodev", "noexec", "size=0"];

function planEmptyDirectory(path: string): ContainerStep {
  const filesystem = { type: "tmpfs", source: "tmpfs", options: EMPTY_DIRECTORY_OPTIONS, destination: path };
  return {
    group: "masks",
    command: `mount -t tmpfs -o ${EMPTY_DIRECTORY_OPTIONS.join(",")} tmpfs ${path}`,
    items: [
      ...makeFilesystem(filesystem, EMPTY_DIRECTORY),
      attach({ result: EMPTY_DIRECTORY }, placeOf(path), { operation: "mask", subject: path }),
    ],
  };
}

/** A second mount of what `source` holds, put on top of a path. */
function coverByClone(source: Argument, path: string): Item[] {
  const name = `mask ${path}`;
  const notes = { operation: "mask", subject: path };
  return [
    call("open_tree", [source, EMPTY, CLONE | AT_EMPTY_PATH], { as: name, ...notes }),
    { ...attach({ result: name }, placeOf(path), notes), tolerate: ["ENOENT"] },
  ];
}

/** Binds each path that exists onto itself, read-only. */
export function planReadonlyPaths(paths: readonly string[], kernel: MountingKernel): ContainerStep[] {
  return paths.map((path): ContainerStep => {
    const notes = { operation: "make read-only", subject: path };
    const command = `[ ! -e ${path} ] || mount --rbind -o ro,nosuid,nodev,noexec ${path} ${path}`;
    if (!kernel.changesMounts) return { group: "masks", command, items: bindReadonly(path, notes) };
    const name = `read-only ${path}`;
    const tree: Argument = { result: name };
    const place = placeOf(path);
    // Without a mount, because nothing is there (ENOENT), the two that follow meet EBADF, or look for the place first.
    const absent = { ...notes, tolerate: ["EBADF", "ENOENT"] as const };
    return {
      group: "masks",
      command,
      items: [
        call("open_tree", [place.directory, { text: place.name }, CLONE | AT_RECURSIVE], {
          as: name,
          ...notes,
          tolerate: ["ENOENT"],
        }),
        call("mount_setattr", [tree, EMPTY, AT_EMPTY_PATH | AT_RECURSIVE, PROTECTED, MOUNT_ATTR_SIZE], absent),
        attach(tree, place, absent),
      ],
    };
  });
}

/**
 * The same by mount(2), as a person would type it. A path of one name in the mount of /proc or /sys itself is what the kernel
 * has put there, or a volume that a link of the root file system has led there: then that becomes read-only.
 */
function bindReadonly(path: string, { operation, subject }: CallNotes): Item[] {
  const { directory, name } = placeOf(path);
  const notes = { operation, subject, tolerate: ["ENOENT"] as const };
  const flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  return [
    call("fchdir", [directory], { operation, subject }),
    call("mount", [{ text: name }, { text: name }, 0, MS_BIND | MS_REC, 0], notes),
    call("mount", [0, { text: name }, 0, flags, 0], notes),
  ];
}

/** Masked and protected paths lie in /proc and /sys, and are reached through the descriptors of those very mounts. */
function placeOf(path: string): { readonly directory: Argument; readonly name: string } {
  const below = belowSystemMount(path);
  if (below === undefined) throw new Error(`${path} is below no system mount, so it cannot be masked`);
  return below;
}
