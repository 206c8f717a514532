/**
 * Mounts that this process makes: detached ones, which exist by a descriptor alone until they are attached
 * somewhere, and those it puts into its own tree.
 */
import { errnoNumber, KernelError } from "../../ffi/errno.ts";
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import { struct } from "../../ffi/struct.ts";
import { Descriptor } from "./descriptor.ts";
import { type At, readInto } from "./files.ts";
import {
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  UMOUNT_NOFOLLOW,
} from "./mount_flags.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE } from "./open_flags.ts";

/** Takes a mount away: umount2(2), never through a symbolic link. `flags`: MNT_DETACH. */
export function unmount(target: string, flags = 0): void {
  const name = cString(target);
  check(syscall("umount2", addressOf(name), flags | UMOUNT_NOFOLLOW), { operation: "unmount", subject: target });
}

// include/uapi/linux/mount.h
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;

/** A file system of its own, to be mounted nowhere yet. */
export interface FilesystemOptions {
  readonly type: string;
  /** Parameters of the file system, `true` for one without a value. */
  readonly parameters?: Readonly<Record<string, string | true>>;
  /** MOUNT_ATTR_* */
  readonly attributes?: number;
}

/**
 * Makes a file system and a detached mount of it: fsopen(2), fsconfig(2), fsmount(2). Gone when the descriptor is
 * closed, unless it was attached. The error tells what the file system itself said.
 */
export function makeDetachedFilesystem({ type, parameters = {}, attributes = 0 }: FilesystemOptions): Descriptor {
  const name = cString(type);
  const doing = { operation: "make", subject: `a ${type} file system` };
  using context = new Descriptor(check(syscall("fsopen", addressOf(name), FSOPEN_CLOEXEC), doing));
  const configure = (command: number, key?: string, value?: string) => {
    const strings = [key, value].map((text) => text === undefined ? undefined : cString(text));
    const [keyAt, valueAt] = strings.map((bytes) => bytes ? addressOf(bytes) : 0);
    const result = syscall("fsconfig", context.fd, command, keyAt, valueAt, 0);
    if (result < 0) throw new KernelError({ ...doing, errno: -result, kernelText: contextMessage(context.fd) });
    strings.length = 0;
  };
  for (const key in parameters) {
    const value = parameters[key];
    if (value === true) configure(FSCONFIG_SET_FLAG, key);
    else configure(FSCONFIG_SET_STRING, key, value);
  }
  configure(FSCONFIG_CMD_CREATE);
  const result = syscall("fsmount", context.fd, FSMOUNT_CLOEXEC, attributes);
  if (result >= 0) return new Descriptor(result);
  throw new KernelError({ ...doing, errno: -result, kernelText: contextMessage(context.fd) });
}

/** What a file system context has to say: messages of the form "e devpts: Bad value for 'gid'". */
function contextMessage(fd: number): string | undefined {
  const bytes = new Uint8Array(1024);
  const length = readInto(fd, bytes);
  if (length <= 0) return undefined;
  return new TextDecoder().decode(bytes.subarray(0, length)).trim().replace(/^[ewi] /, "");
}

/** Takes a detached copy of a mount from a path or a descriptor (with an empty path): open_tree(2). */
export function cloneMount(path: string, { directory, recursive = false }: At & { recursive?: boolean } = {}) {
  const name = cString(path);
  const empty = path === "" ? AT_EMPTY_PATH : 0;
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | empty | (recursive ? AT_RECURSIVE : 0);
  const result = syscall("open_tree", directory ?? AT_FDCWD, addressOf(name), flags);
  return new Descriptor(check(result, { operation: "take a mount of", subject: path || `descriptor ${directory}` }));
}

/** Attaches a detached mount at a path, or at what a descriptor holds (with an empty path): move_mount(2). */
export function attachMount(mount: number, target: string, { directory = AT_FDCWD }: At = {}): void {
  const [from, to] = [cString(""), cString(target)];
  const flags = MOVE_MOUNT_F_EMPTY_PATH | (target === "" ? MOVE_MOUNT_T_EMPTY_PATH : 0);
  const result = syscall("move_mount", mount, addressOf(from), directory, addressOf(to), flags);
  check(result, { operation: "attach a mount at", subject: target || `descriptor ${directory}` });
}

const ENOSYS = 38;
const MOUNT_ATTR = struct("mount_attr", { attr_set: "u64", attr_clr: "u64", propagation: "u64", userns_fd: "u64" });

/** What to change of a mount. */
export interface MountAttributes {
  /** MOUNT_ATTR_* */
  readonly set?: number;
  readonly clear?: number;
  /** MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE */
  readonly propagation?: number;
  readonly recursive?: boolean;
  /** For the error: what is mounted. */
  readonly subject?: string;
}

/** struct mount_attr as bytes, for mount_setattr(2) in a plan. */
function encodeMountAttributes({ set = 0, clear = 0, propagation = 0 }: MountAttributes): Uint8Array {
  return MOUNT_ATTR.encode({ attr_set: BigInt(set), attr_clr: BigInt(clear), propagation: BigInt(propagation) });
}

/**
 * Changes the attributes of the mount a descriptor holds, with `recursive` of those below it: mount_setattr(2). False on
 * a kernel that cannot (Linux before 5.12).
 */
export function changeMount(mount: number, attributes: MountAttributes): boolean {
  const bytes = encodeMountAttributes(attributes);
  const name = cString("");
  const flags = AT_EMPTY_PATH | (attributes.recursive ? AT_RECURSIVE : 0);
  const result = syscall("mount_setattr", mount, addressOf(name), flags, addressOf(bytes), bytes.length);
  if (result === -ENOSYS) return false;
  check(result, {
    operation: "change the attributes of the mount of",
    subject: attributes.subject ?? `descriptor ${mount}`,
  });
  return true;
}

/** Whether the kernel has a type of file system; a module that can be loaded is loaded, as a mount would load it. */
export function knowsFilesystem(type: string): boolean {
  const FSOPEN_CLOEXEC = 1; // include/uapi/linux/mount.h
  const context = syscall("fsopen", addressOf(cString(type)), FSOPEN_CLOEXEC);
  if (context === -errnoNumber("ENODEV")) return false;
  syscall("close", check(context, { operation: `open "${type}"`, subject: "as a file system" }));
  return true;
}
