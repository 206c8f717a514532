/**
 * The mounts inside a container's root, as items for the child. Pure.
 *
 * They are made after pivot_root: whatever a path or a symbolic link of the root file system says, nothing of the
 * host can be reached by it any more. What comes from the host comes as detached mounts that the parent has opened.
 * /proc, /dev and /sys go onto real directories only (move_mount follows no link at the end of its target), and what
 * lies in them is reached through the descriptors of those very mounts, so no rename in a shared root file
 * system can put another thing in their place (CVE-2019-19921, CVE-2025-31133). Other targets are resolved by openat2:
 * links of the container are followed inside it, magic links of /proc, which could lead to descriptors, are not. The
 * root is this process's own by then, which confines them; RESOLVE_IN_ROOT would add nothing but EAGAIN, whenever
 * anybody on the machine mounts or renames while a link leads through "..".
 */
import type { Argument, Call, Item } from "../../ffi/program.ts";
import {
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_BIND,
  MS_PRIVATE,
  MS_REC,
  MS_REMOUNT,
} from "../kernel/mount_flags.ts";
import { O_CLOEXEC, O_DIRECTORY, O_PATH, RESOLVE_NO_MAGICLINKS } from "../kernel/open_flags.ts";
import { call, type CallNotes, type ContainerStep, shellWord } from "./container_step.ts";
import type { PathKind } from "./mask.ts";
import { parseMountOptions } from "./mount_options.ts";
import type { SpecMount } from "./spec.ts";

// include/uapi/linux/mount.h
const FSOPEN_CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSMOUNT_CLOEXEC = 1;

const S_IFREG = 0o100000;
const EMPTY = { text: "" };

/** The root directory of the container; known after the root has been mounted. */
export const ROOT: Argument = { result: "root" };

/** Where a mount of ours is held, once it has been made. */
export function mountAt(destination: string): Argument {
  return { result: `mount ${destination}` };
}

/** The file system that a new mount is made of, and what it is called in errors. */
export interface Filesystem {
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
  readonly destination: string;
}

/** Makes a file system and leaves its mount, attached nowhere, as the result called `name`. */
export function makeFilesystem({ type, source, options, destination }: Filesystem, name: string): Item[] {
  const notes = { operation: `mount "${type}" on`, subject: destination };
  const { attributes, parameters } = parseMountOptions(options);
  const context: Argument = { result: `context ${name}` };
  const items: Item[] = [
    call("fsopen", [{ text: type }, FSOPEN_CLOEXEC], { as: `context ${name}`, ...notes }),
    call("fsconfig", [context, FSCONFIG_SET_STRING, { text: "source" }, { text: source }, 0], notes),
  ];
  for (const [key, value] of parameters) {
    const command = value === null ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    const setting = { operation: `mount "${type}" with option "${key}" on`, subject: destination };
    items.push(call("fsconfig", [context, command, { text: key }, value === null ? 0 : { text: value }, 0], setting));
  }
  items.push(
    call("fsconfig", [context, FSCONFIG_CMD_CREATE, 0, 0, 0], notes),
    call("fsmount", [context, FSMOUNT_CLOEXEC, attributes], { as: name, ...notes }),
  );
  return items;
}

/** What the kernel can do about mounts. */
export interface MountingKernel {
  /** Whether it has mount_setattr(2): Linux 5.12. */
  readonly changesMounts: boolean;
}

/** A place for a mount: a name in an open directory (not followed if it is a link), or an open target itself. */
export type Place = { readonly directory: Argument; readonly name: string } | { readonly target: Argument };

/** Attaches a detached mount. */
export function attach(mount: Argument, place: Place, notes: CallNotes): Call {
  const [directory, name, flags] = "target" in place
    ? [place.target, EMPTY, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH]
    : [place.directory, { text: place.name }, MOVE_MOUNT_F_EMPTY_PATH];
  return call("move_mount", [mount, EMPTY, directory, name, flags], notes);
}

/** This process's own descriptors, as procfs has them: taken before anything can be mounted on the way there. */
const DESCRIPTORS = "own descriptors";

/**
 * For a mount that the parent has taken on a kernel that changes no detached one (Linux before 5.12): makes it private and
 * gives it its flags, now that it is attached. mount(2) knows paths only. This one is a single name in a directory of
 * procfs that is held open: on a longer way a volume could lie, by a link of the root file system to /proc/1/fd, say, and
 * have names of its own there that lead elsewhere.
 */
export function settleLate(tree: number, flags: number | undefined, notes: CallNotes): Item[] {
  if (flags === undefined) return [];
  const path = { text: String(tree) };
  return [
    call("fchdir", [{ result: DESCRIPTORS }], notes),
    call("mount", [0, path, 0, MS_REC | MS_PRIVATE, 0], notes),
    call("mount", [0, path, 0, MS_REMOUNT | MS_BIND | flags, 0], notes),
  ];
}

function takeDescriptors(proc: Argument): Item {
  const notes = { operation: "open", subject: "the process's own descriptors" };
  return call("openat", [proc, { text: "self/fd" }, O_PATH | O_DIRECTORY | O_CLOEXEC], { as: DESCRIPTORS, ...notes });
}

/** What the mounts of a spec need to know. */
export interface MountInputs {
  /** Detached mounts by their destination: every bind, and devpts where there is a terminal. */
  readonly trees: ReadonlyMap<string, number>;
  /** By destination: the MS_* of those that are changed only once they are attached, on old kernels. */
  readonly late: ReadonlyMap<string, number>;
  /** Destinations that need not be made: they are in the root file system, or the parent has made them. */
  readonly existing: ReadonlySet<string>;
  /** Binds of anything but a directory: their mount point is a file. */
  readonly fileTargets: ReadonlySet<string>;
}

/** The steps for all mounts of a spec, in its order. */
export function planMounts(mounts: readonly SpecMount[], inputs: MountInputs): ContainerStep[] {
  return mounts.map((mount) => planMount(mount, inputs));
}

function planMount(mount: SpecMount, inputs: MountInputs): ContainerStep {
  const { destination, type, source, options } = mount;
  const tree = inputs.trees.get(destination);
  if (type === "bind" && tree === undefined) throw new Error(`no mount was opened for ${destination}`);
  const notes = { operation: `mount "${type === "bind" ? source : type}" on`, subject: destination };
  const name = `mount ${destination}`;
  const items = tree === undefined ? makeFilesystem(mount, name) : [];
  const prepared = placeFor(destination, inputs);
  items.push(...prepared.items, attach(tree ?? { result: name }, prepared.place, notes));
  if (tree !== undefined) items.push(...settleLate(tree, inputs.late.get(destination), notes));
  if (destination === "/proc" && inputs.late.size > 0) items.push(takeDescriptors(mountAt(destination)));
  const words = options.filter((option) => option !== "bind" && option !== "rbind").join(",");
  const bind = options.includes("rbind") ? "--rbind" : "--bind";
  const kind = type === "bind" ? bind : `-t ${type}`;
  return {
    group: SYSTEM.some((prefix) => isAtOrBelow(destination, prefix)) ? "system mounts" : "mounts",
    command: `mount ${kind} -o ${shellWord(words)} ${shellWord(source)} ${shellWord(destination)}`,
    items,
  };
}

const SYSTEM = ["/proc", "/dev", "/sys"] as const;

function isAtOrBelow(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}

/** The system mount that a path lies below, by its descriptor, and the rest of the path. */
export function belowSystemMount(path: string): { directory: Argument; name: string } | undefined {
  const prefix = SYSTEM.find((candidate) => path.startsWith(`${candidate}/`));
  return prefix && { directory: mountAt(prefix), name: path.slice(prefix.length + 1) };
}

/** Items that make a mount point ready, and the place they lead to. */
function placeFor(destination: string, { existing, fileTargets }: MountInputs): { items: Item[]; place: Place } {
  const notes = { operation: "make the mount point", subject: destination };
  if (SYSTEM.some((prefix) => prefix === destination)) {
    const items = existing.has(destination)
      ? []
      : [makeEntry(ROOT, destination.slice(1), { kind: "directory", notes })];
    return { items, place: { directory: ROOT, name: destination.slice(1) } };
  }
  const below = belowSystemMount(destination);
  // /sys has its directories from the kernel; in /dev, which is empty, those of one level are the usual ones.
  if (below && !below.name.includes("/") && destination.startsWith("/dev/")) {
    const kind = fileTargets.has(destination) ? "file" : "directory";
    return { items: [makeEntry(below.directory, below.name, { kind, notes })], place: below };
  }
  if (destination === "/sys/fs/cgroup" && below) return { items: [], place: below };
  const kind = existing.has(destination) ? undefined : fileTargets.has(destination) ? "file" : "directory";
  return openTarget(destination, kind);
}

interface Entry {
  readonly kind: PathKind;
  readonly notes: { readonly operation: string; readonly subject: string };
}

/** Makes a directory or an empty file of that name, unless there is something; a link is not followed. */
function makeEntry(directory: Argument, name: string, { kind, notes }: Entry): Item {
  const made = { ...notes, tolerate: ["EEXIST"] as const };
  if (kind === "directory") return call("mkdirat", [directory, { text: name }, 0o755], made);
  return call("mknodat", [directory, { text: name }, S_IFREG | 0o644, 0], made);
}

/** include/uapi/linux/openat2.h: struct open_how is flags, mode and resolve, 64 bits each. */
function openHow(flags: number): Argument {
  return { words: [flags, 0, RESOLVE_NO_MAGICLINKS] };
}
const OPEN_HOW_SIZE = 24;

/**
 * Opens a path inside the root, after making what is missing of it where `make` says what it is to be. `what` is how
 * it is called in errors, and keeps its results apart from those of another target with the same path.
 */
export function openTarget(
  path: string,
  make: PathKind | undefined,
  { what }: { what: string } = { what: "mount point" },
): { items: Item[]; place: { target: Argument } } {
  const items: Item[] = [];
  const parts = path.split("/").filter((part) => part !== "");
  const notes = { operation: `make the ${what}`, subject: path };
  let parent: Argument = ROOT;
  for (let index = 0; make !== undefined && index < parts.length; index++) {
    const last = index === parts.length - 1;
    items.push(makeEntry(parent, parts[index] as string, { kind: last ? make : "directory", notes }));
    if (last) break;
    const above = parts.slice(0, index + 1).join("/");
    const name = `${above} of the ${what} ${path}`;
    items.push(openInRoot(above, { flags: O_PATH | O_DIRECTORY, as: name, notes }));
    parent = { result: name };
  }
  const name = `${what} ${path}`;
  const finding = { operation: `find the ${what}`, subject: path };
  items.push(openInRoot(parts.join("/"), { flags: O_PATH, as: name, notes: finding }));
  return { items, place: { target: { result: name } } };
}

/** What {@link openInRoot} is told. */
interface OpenNotes {
  readonly flags: number;
  readonly as: string;
  readonly notes: { readonly operation: string; readonly subject: string };
}

/** Opens a relative path by openat2, from the root of this process and through no magic link. */
function openInRoot(path: string, { flags, as, notes }: OpenNotes): Item {
  const how = openHow(flags | O_CLOEXEC);
  return call("openat2", [ROOT, { text: path === "" ? "." : path }, how, OPEN_HOW_SIZE], { as, ...notes });
}
