/**
 * Unpacking what is inside the binary, once: beside its place and renamed, so that whoever sees it sees all of it.
 * ROOT/rootfs itself is the lock: of those that come at once one unpacks, and what lies beside under it belongs to
 * nobody who lives.
 */
import { isKernelError } from "../../ffi/errno.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { makeDirectories, readDirectory, removeIfEmpty } from "../kernel/directories.ts";
import { LOCK_EX, lockFile } from "../kernel/file_locks.ts";
import { pathStatus } from "../kernel/file_status.ts";
import { openFile, removeFile, renameFile } from "../kernel/files.ts";
import { O_DIRECTORY } from "../kernel/open_flags.ts";
import type { Paths } from "../store/paths.ts";
import { removeTree } from "./remove_tree.ts";

const UNFINISHED = ".new";

/** Makes `path`, a name in ROOT/rootfs, by `fill`, unless it is there by now. Where that fails, nothing is left. */
export function unpackOnce(paths: Paths, path: string, fill: (beside: string) => void): void {
  makeDirectories(paths.rootfsDirectory, { mode: 0o755 });
  using _lock = lockDirectory(paths);
  if (pathStatus(path)) return;
  const beside = `${path}${UNFINISHED}`;
  discard(beside);
  try {
    fill(beside);
    renameFile(beside, path);
  } catch (error) {
    discard(beside);
    removeIfEmpty(paths.rootfsDirectory);
    throw error;
  }
}

/** Removes what was half unpacked by processes that were killed. */
export function removeUnfinished(paths: Paths): void {
  try {
    using directory = lockDirectory(paths);
    for (const name of readDirectory(directory.fd, paths.rootfsDirectory)) {
      if (name.includes(UNFINISHED)) discard(paths.rootfs(name));
    }
  } catch (error) {
    if (!isKernelError(error, "ENOENT")) throw error; // nothing was ever unpacked
  }
}

function discard(path: string): void {
  if (pathStatus(path)?.type === "directory") removeTree(path);
  else removeFile(path);
}

function lockDirectory(paths: Paths): Descriptor {
  const directory = openFile(paths.rootfsDirectory, { flags: O_DIRECTORY });
  lockFile(directory.fd, LOCK_EX, paths.rootfsDirectory);
  return directory;
}
