/** Directories: mkdirat(2), unlinkat(2), getdents64(2). Functions throw a KernelError, but for what they return. */
import { isKernelError } from "../../ffi/errno.ts";
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import { type At, openFile } from "./files.ts";
import { AT_FDCWD, AT_REMOVEDIR, O_DIRECTORY } from "./open_flags.ts";

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
