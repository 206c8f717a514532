/** Symbolic links as small files: made whole or not at all, never over another, read by one call. symlink(7) */
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import { makeDirectories } from "../kernel/directories.ts";
import { removeFile, renameFile } from "../kernel/files.ts";
import { UndoStack } from "../undo.ts";
import { AT_FDCWD } from "../kernel/open_flags.ts";

const ENOENT = 2;
const EINVAL = 22;
const EEXIST = 17;
/** Longer than any id, address or pair of them that is kept so. */
const LONGEST = 256;

/** Makes a link, and its directory if that is missing; false where the name is taken. */
export function makeLink(path: string, target: string): boolean {
  let result = symlink(path, target);
  if (result === -ENOENT) {
    makeDirectories(path.slice(0, path.lastIndexOf("/")), { mode: 0o700 });
    result = symlink(path, target);
  }
  return result !== -EEXIST && check(result, { operation: "write", subject: path }) === 0;
}

function symlink(path: string, target: string): number {
  const [from, to] = [cString(target), cString(path)];
  return syscall("symlinkat", addressOf(from), AT_FDCWD, addressOf(to));
}

/**
 * Makes a link, or lets the one that is there hold something else: made beside and renamed, so that there is no moment
 * without one. Not for a name that others might be replacing at the same time.
 */
export function replaceLink(path: string, target: string): void {
  const beside = linkBeside(path);
  if (!makeLink(beside, target)) {
    removeFile(beside); // its maker was killed before it could rename it
    makeLink(beside, target);
  }
  using failed = new UndoStack();
  failed.defer(() => removeFile(beside));
  renameFile(beside, path);
  failed.move();
}

/** Where {@link replaceLink} makes the link: no name of a container or a network begins so. */
export function linkBeside(path: string): string {
  const name = path.lastIndexOf("/") + 1;
  return `${path.slice(0, name)}.${path.slice(name)}`;
}

/** What a link holds; `undefined` where there is none. */
export function readLink(path: string): string | undefined {
  const name = cString(path);
  const bytes = new Uint8Array(LONGEST);
  const length = syscall("readlinkat", AT_FDCWD, addressOf(name), addressOf(bytes), bytes.length);
  if (length === -ENOENT || length === -EINVAL) return undefined;
  return new TextDecoder().decode(bytes.subarray(0, check(length, { operation: "read", subject: path })));
}
