/**
 * Files: openat(2), openat2(2), read, write, removing one, and replacing one as a whole.
 *
 * Functions named for a verb throw a KernelError; those that say so return -errno where an error is an answer.
 */
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import { struct } from "../../ffi/struct.ts";
import { Descriptor } from "./descriptor.ts";
import { AT_FDCWD, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_RDONLY, O_TRUNC, O_WRONLY } from "./open_flags.ts";
import { UndoStack } from "../undo.ts";

const ENOENT = 2;
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

/** The path of what a descriptor stands on, as this process sees it: proc(5), /proc/pid/fd. */
export function pathOf(fd: number): string {
  const bytes = new Uint8Array(4096); // PATH_MAX
  const link = `/proc/self/fd/${fd}`;
  const result = syscall("readlinkat", AT_FDCWD, addressOf(cString(link)), addressOf(bytes), bytes.length);
  return new TextDecoder().decode(bytes.subarray(0, check(result, { operation: "read", subject: link })));
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
