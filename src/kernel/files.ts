/**
 * Files: openat(2), openat2(2), read, write, statx(2), flock(2), directories, and replacing a file as a whole.
 *
 * Functions named for a verb throw a KernelError; those that say so return -errno where an error is an answer.
 */
import { isKernelError } from "../../ffi/errno.ts";
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import { struct } from "../../ffi/struct.ts";
import { Descriptor } from "./descriptor.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
} from "./open_flags.ts";
import { UndoStack } from "../undo.ts";

const EINTR = 4;

/** Where a path starts: a directory's descriptor, or the working directory. */
export interface At {
  readonly directory?: number;
}

/** What {@link openFile} may be told beyond a path. */
export interface OpenOptions extends At {
  /** O_*; O_CLOEXEC is always added. */
  readonly flags?: number;
  /** Permission bits of a file that is made, before the umask. */
  readonly mode?: number;
}

/** Opens a file, by default for reading. */
export function openFile(path: string, options: OpenOptions = {}): Descriptor {
  return new Descriptor(check(tryOpen(path, options), { operation: "open", subject: path }));
}

/** As {@link openFile}, but returns a bare descriptor number or -errno. */
export function tryOpen(path: string, { flags = O_RDONLY, mode = 0, directory = AT_FDCWD }: OpenOptions = {}): number {
  return syscall("openat", directory, addressOf(cString(path)), flags | O_CLOEXEC, mode);
}

/** struct open_how, include/uapi/linux/openat2.h */
const OPEN_HOW = struct("open_how", { flags: "u64", mode: "u64", resolve: "u64" });

/**
 * Opens a path under rules for its resolution, RESOLVE_* (openat2(2)): the way into a tree that someone else
 * controls. Repeats on EAGAIN, which says that a rename elsewhere crossed the resolution.
 */
export function openResolved(
  path: string,
  { flags = O_RDONLY, mode = 0, directory, resolve }: OpenOptions & { directory: number; resolve: number },
): Descriptor {
  const how = OPEN_HOW.encode({ flags: BigInt(flags | O_CLOEXEC), mode: BigInt(mode), resolve: BigInt(resolve) });
  const name = cString(path);
  let result = -EAGAIN;
  for (let attempt = 0; result === -EAGAIN && attempt < 128; attempt++) {
    result = syscall("openat2", directory, addressOf(name), addressOf(how), OPEN_HOW.size);
  }
  return new Descriptor(check(result, { operation: "open", subject: path }));
}

/** EAGAIN, as the wrappers that report it return it: nothing to read, or no room to write, for now. */
export const EAGAIN = 11;

/** read(2) into `bytes`: the count, 0 at the end of the file, or -errno. A signal does not end it. */
export function readInto(fd: number, bytes: Uint8Array): number {
  let result: number;
  do result = syscall("read", fd, addressOf(bytes), bytes.length); while (result === -EINTR);
  return result;
}

/** write(2): the count, which may be short, or -errno. A signal does not end it. */
export function writeFrom(fd: number, bytes: Uint8Array): number {
  if (bytes.length === 0) return 0;
  let result: number;
  do result = syscall("write", fd, addressOf(bytes), bytes.length); while (result === -EINTR);
  return result;
}

/** Writes all of `bytes`. Throws on any error, EAGAIN included. */
export function writeAll(fd: number, bytes: Uint8Array, subject = `descriptor ${fd}`): void {
  for (let at = 0; at < bytes.length;) {
    at += check(writeFrom(fd, bytes.subarray(at)), { operation: "write to", subject });
  }
}

/** Reads a descriptor to its end. */
export function readAll(fd: number, subject = `descriptor ${fd}`): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(4096);
  let length = 0;
  for (;;) {
    const count = check(readInto(fd, bytes.subarray(length)), { operation: "read", subject });
    if (count === 0) return bytes.subarray(0, length);
    length += count;
    if (length < bytes.length) continue;
    const larger = new Uint8Array(bytes.length * 4);
    larger.set(bytes);
    bytes = larger;
  }
}

/** The text of a file, read to its end: right for /proc, whose files have no size. */
export function readText(path: string, at: At = {}): string {
  using file = openFile(path, at);
  return new TextDecoder().decode(readAll(file.fd, path));
}

/** Writes a text by one write(2) to a file that exists, as /proc and cgroup files want it. */
export function writeText(path: string, text: string, at: At = {}): void {
  using file = openFile(path, { ...at, flags: O_WRONLY });
  check(writeFrom(file.fd, new TextEncoder().encode(text)), { operation: `write "${text.trim()}" to`, subject: path });
}

/**
 * Replaces a file as a whole: a reader sees the former text or this one, never a part, because it is written
 * beside and renamed over. It is not synced unless `durable`: a file under the run root is gone with a reboot
 * anyway, and fdatasync costs milliseconds. Durable syncs the file before the rename, the directory after it.
 * Whoever replaces a file must hold a lock that keeps others from it: what it is written to has always the same name,
 * so one that was killed leaves nothing that the next does not take away.
 */
export function replaceFile(path: string, text: string, options: { mode?: number; durable?: boolean } = {}): void {
  const beside = `${path}.new`;
  // Truncated: it may be there, of one that was killed.
  const opened = openFile(beside, { flags: O_WRONLY | O_CREAT | O_TRUNC, mode: options.mode ?? 0o600 });
  {
    using failed = new UndoStack();
    failed.defer(() => removeFile(beside));
    using file = opened;
    writeAll(file.fd, new TextEncoder().encode(text), beside);
    if (options.durable) check(syscall("fdatasync", file.fd), { operation: "sync", subject: beside });
    renameFile(beside, path);
    failed.move();
  }
  if (!options.durable) return;
  using directory = openFile(path.slice(0, path.lastIndexOf("/")) || "/", { flags: O_DIRECTORY });
  check(syscall("fsync", directory.fd), { operation: "sync the directory of", subject: path });
}

/** Renames a file, over the target if there is one. */
export function renameFile(from: string, to: string): void {
  const [source, target] = [cString(from), cString(to)];
  const result = syscall("renameat2", AT_FDCWD, addressOf(source), AT_FDCWD, addressOf(target), 0);
  check(result, { operation: `rename "${from}" to`, subject: to });
}

/** Removes a file. Returns false where there was none. */
export function removeFile(path: string, { directory = AT_FDCWD }: At = {}): boolean {
  const result = syscall("unlinkat", directory, addressOf(cString(path)), 0);
  return result !== -ENOENT && check(result, { operation: "remove", subject: path }) === 0;
}

/** Removes an empty directory. Returns false where there was none. */
export function removeDirectory(path: string, { directory = AT_FDCWD }: At = {}): boolean {
  const result = syscall("unlinkat", directory, addressOf(cString(path)), AT_REMOVEDIR);
  return result !== -ENOENT && check(result, { operation: "remove the directory", subject: path }) === 0;
}

/**
 * Removes a directory if there is nothing in it. Returns false where it stays, because there is, because something is
 * mounted on it or because it is a link to one; where there is none, too.
 */
export function removeIfEmpty(path: string): boolean {
  try {
    return removeDirectory(path);
  } catch (error) {
    if (isKernelError(error, "ENOTEMPTY", "EEXIST", "EBUSY", "ENOTDIR")) return false;
    throw error;
  }
}

const ENOENT = 2;
const EEXIST = 17;

/** Makes a directory. Returns false where it (or something else of that name) exists already. */
export function makeDirectory(path: string, { mode = 0o755, directory = AT_FDCWD }: At & { mode?: number } = {}) {
  const result = syscall("mkdirat", directory, addressOf(cString(path)), mode);
  return result !== -EEXIST && check(result, { operation: "make the directory", subject: path }) === 0;
}

/** Makes a directory and those above it that are missing. */
export function makeDirectories(path: string, options: { mode?: number } = {}): void {
  const make = () => syscall("mkdirat", AT_FDCWD, addressOf(cString(path)), options.mode ?? 0o755);
  let result = make();
  if (result === -ENOENT && path.lastIndexOf("/") > 0) {
    makeDirectories(path.slice(0, path.lastIndexOf("/")), options);
    // Once more, and not for ever: in /proc, say, it is ENOENT whatever is there.
    result = make();
  }
  if (result !== -EEXIST) check(result, { operation: "make the directory", subject: path });
}

// include/uapi/asm-generic/fcntl.h
export const LOCK_SH = 1;
export const LOCK_EX = 2;

/** Takes the lock of an open file, waiting for it: flock(2). */
export function lockFile(fd: number, kind: number, subject = `descriptor ${fd}`): void {
  let result: number;
  do result = syscall("flock", fd, kind); while (result === -EINTR);
  check(result, { operation: "lock", subject });
}

const F_SETLK = 6; // include/uapi/asm-generic/fcntl.h
const F_SETLKW = 7;
/** struct flock: l_type F_WRLCK, all of the file. */
const WRITE_LOCK = new Uint8Array(32);
WRITE_LOCK[0] = 1;

/**
 * Takes the lock of an open file that is this process's own (fcntl(2), "Advisory record locking") if it is free, and
 * says whether it was. Unlike flock(2)'s it is never a child's, too. It ends with the process, and as soon as the
 * process closes any descriptor of the file.
 */
export function tryOwnLock(fd: number, subject = `descriptor ${fd}`): boolean {
  const result = syscall("fcntl", fd, F_SETLK, addressOf(WRITE_LOCK));
  return result !== -EAGAIN && result !== -EACCES && check(result, { operation: "lock", subject }) === 0;
}

/** As {@link tryOwnLock}, but waits for it. */
export function takeOwnLock(fd: number, subject = `descriptor ${fd}`): void {
  let result: number;
  do result = syscall("fcntl", fd, F_SETLKW, addressOf(WRITE_LOCK)); while (result === -EINTR);
  check(result, { operation: "lock", subject });
}

const EACCES = 13;

/** The head of struct statx, the same on both machines: include/uapi/linux/stat.h */
const STATX = struct("statx", {
  mask: "u32",
  blockSize: "u32",
  attributes: "u64",
  links: "u32",
  uid: "u32",
  gid: "u32",
  mode: "u16",
  padding: "u16",
  inode: "u64",
  size: "u64",
  blocks: "u64",
  attributesMask: "u64",
  times: { bytes: 64 },
  rdevMajor: "u32",
  rdevMinor: "u32",
  devMajor: "u32",
  devMinor: "u32",
  mountId: "u64",
});
const STATX_BYTES = 256;
const STATX_BASIC_STATS = 0x7ff;
const STATX_MNT_ID = 0x1000;

/** What a file is, under the names of struct stat. */
export interface FileStatus {
  /** The type (S_IFMT), set-id and sticky bits, and permissions. */
  readonly mode: number;
  readonly type: FileType;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly inode: number;
  readonly links: number;
  /** The device the file lies on. */
  readonly devMajor: number;
  readonly devMinor: number;
  /** The device the file stands for, if it is one. */
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** As in the first column of /proc/self/mountinfo. */
  readonly mountId: number;
}

export type FileType =
  | "pipe"
  | "character device"
  | "directory"
  | "block device"
  | "file"
  | "link"
  | "socket"
  | "other";

/** The type in a st_mode, by S_IFMT of include/uapi/linux/stat.h. */
export function fileType(mode: number): FileType {
  switch (mode & 0o170000) {
    case 0o010000:
      return "pipe";
    case 0o020000:
      return "character device";
    case 0o040000:
      return "directory";
    case 0o060000:
      return "block device";
    case 0o100000:
      return "file";
    case 0o120000:
      return "link";
    case 0o140000:
      return "socket";
    default:
      return "other";
  }
}

/** The status of an open file. */
export function fileStatus(fd: number): FileStatus {
  const answer = statx("", { directory: fd, flags: AT_EMPTY_PATH });
  check(answer.result, { operation: "look at", subject: `descriptor ${fd}` });
  return decodeStatus(answer.bytes);
}

/** include/uapi/linux/magic.h */
const PIPEFS_MAGIC = 0x50495045;

/** Whether a pipe was made by pipe(2), rather than opened by a name that it has in some file system. */
export function isAnonymousPipe(fd: number): boolean {
  const words = new Uint32Array(30); // struct statfs begins with the type
  check(syscall("fstatfs", fd, addressOf(new Uint8Array(words.buffer))), {
    operation: "look at the file system of",
    subject: `descriptor ${fd}`,
  });
  return words[0] === PIPEFS_MAGIC;
}

/** The status of what a path names, a symbolic link itself included; `undefined` where there is nothing. */
export function pathStatus(path: string, { directory = AT_FDCWD }: At = {}): FileStatus | undefined {
  const answer = statx(path, { directory, flags: AT_SYMLINK_NOFOLLOW });
  if (answer.result === -ENOENT) return undefined;
  check(answer.result, { operation: "look at", subject: path });
  return decodeStatus(answer.bytes);
}

function statx(path: string, { directory, flags }: { directory: number; flags: number }) {
  const bytes = new Uint8Array(STATX_BYTES);
  const mask = STATX_BASIC_STATS | STATX_MNT_ID;
  const name = cString(path);
  return { bytes, result: syscall("statx", directory, addressOf(name), flags, mask, addressOf(bytes)) };
}

function decodeStatus(bytes: Uint8Array): FileStatus {
  const { mode, uid, gid, links, devMajor, devMinor, rdevMajor, rdevMinor, ...wide } = STATX.decode(bytes);
  const [size, inode, mountId] = [Number(wide.size), Number(wide.inode), Number(wide.mountId)];
  const type = fileType(mode);
  return { mode, type, uid, gid, size, inode, links, devMajor, devMinor, rdevMajor, rdevMinor, mountId };
}

/** The names in an open directory, without "." and "..", in the order the kernel has them. Reads from its start. */
export function readDirectory(fd: number, subject = `descriptor ${fd}`): string[] {
  check(syscall("lseek", fd, 0, 0), { operation: "rewind", subject });
  const bytes = new Uint8Array(32768);
  const decoder = new TextDecoder();
  const names: string[] = [];
  for (;;) {
    const doing = { operation: "list", subject };
    const length = check(syscall("getdents64", fd, addressOf(bytes), bytes.length), doing);
    if (length === 0) return names;
    // struct linux_dirent64: ino and off, 8 bytes each; reclen, 2; type, 1; the name, ended by NUL.
    for (let at = 0; at < length;) {
      const next = at + (bytes[at + 16] as number) + ((bytes[at + 17] as number) << 8);
      const name = decoder.decode(bytes.subarray(at + 19, bytes.indexOf(0, at + 19)));
      if (name !== "." && name !== "..") names.push(name);
      at = next;
    }
  }
}

/** The names in a directory, sorted. */
export function listDirectory(path: string): string[] {
  using directory = openFile(path, { flags: O_DIRECTORY });
  return readDirectory(directory.fd, path).sort();
}
