/**
 * What was made in a directory so that something could be mounted on it, for all containers that use the directory:
 * RUN/directories/DEVICE-INODE/ has a link for each of them, and the file `made`.
 *
 * A mount point that one container has made is used by the next. Removed while that one lives, it would take the mounts
 * on it away from it (rmdir(2) of a mount point of another namespace unmounts). So the last user removes all of them.
 */
import { isKernelError } from "../../ffi/errno.ts";
import { check } from "../../ffi/libc.ts";
import { Descriptor } from "../kernel/descriptor.ts";
import { listDirectory, removeDirectory, removeIfEmpty } from "../kernel/directories.ts";
import { fileStatus, pathStatus } from "../kernel/file_status.ts";
import { openFile, readAll, removeFile, tryOpen, writeAll } from "../kernel/files.ts";
import { O_APPEND, O_CREAT, O_WRONLY } from "../kernel/open_flags.ts";
import { makeLink } from "../store/links.ts";
import { takeLock } from "../store/lock.ts";
import type { Paths } from "../store/paths.ts";
import { ContainerRoot, type MadeEntry } from "./root.ts";

const ENOENT = 2;

/** By which a directory is known, however it is reached. */
export function directoryKey(root: ContainerRoot): string {
  const { devMajor, devMinor, inode } = fileStatus(root.fd);
  return `${devMajor}.${devMinor}-${inode}`;
}

/** One container's use of a directory. */
export interface DirectoryUse {
  readonly paths: Paths;
  readonly key: string;
  /** The container. */
  readonly id: string;
}

/** Makes it known that a container uses a directory. Its record must say so already. */
export function useDirectory({ paths, key, id }: DirectoryUse): void {
  using _lock = takeLock(paths.stateLock, "exclusive");
  makeLink(paths.directoryUser(key, id), id);
}

/** Writes down that something is about to be made there: whoever is killed after it leaves nothing unknown. */
export function willMake({ paths, key }: Omit<DirectoryUse, "id">, entry: MadeEntry): void {
  const path = paths.directoryMade(key);
  using file = openFile(path, { flags: O_WRONLY | O_CREAT | O_APPEND, mode: 0o600 });
  writeAll(file.fd, new TextEncoder().encode(`${JSON.stringify(entry)}\n`), path);
}

/** Ends a container's use; the last one removes from `directory` what was made in it. Nothing happens the second time. */
export function leaveDirectory(use: DirectoryUse, directory: string): void {
  const { paths, key, id } = use;
  using _lock = takeLock(paths.stateLock, "exclusive");
  const place = paths.directoryUse(key);
  if (pathStatus(place)) {
    removeFile(paths.directoryUser(key, id));
    const made = paths.directoryMade(key);
    if (listDirectory(place).some((name) => `${place}/${name}` !== made)) return; // others use it
    removeEntries(use, directory);
    removeFile(made);
    removeDirectory(place);
  }
  removeIfEmpty(paths.directoryUses);
}

function removeEntries({ paths, key }: DirectoryUse, directory: string): void {
  const entries = readMade(paths.directoryMade(key));
  if (entries.length === 0) return;
  try {
    using root = new ContainerRoot(directory);
    // Else its path leads to another directory by now: a container that was given the directory above it can put a
    // link to the host's root there.
    if (directoryKey(root) === key) root.removeMade(entries);
  } catch (error) {
    if (!isKernelError(error, "ENOENT", "ENOTDIR", "ELOOP")) throw error;
  }
}

function readMade(path: string): MadeEntry[] {
  const fd = tryOpen(path);
  if (fd === -ENOENT) return []; // nothing had to be made
  using file = new Descriptor(check(fd, { operation: "open", subject: path }));
  const entries = new Map<string, MadeEntry>();
  for (const line of new TextDecoder().decode(readAll(file.fd, path)).split("\n")) {
    if (!line.endsWith("}")) continue; // the end, or cut off
    const entry = JSON.parse(line) as MadeEntry;
    entries.set(entry.path, entry);
  }
  return [...entries.values()];
}
