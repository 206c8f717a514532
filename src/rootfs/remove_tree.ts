/**
 * Removing a tree that a container has written: nothing in it is trusted.
 *
 * No link is followed, no path is longer than one name, at most two directories are open, however deep the tree: a
 * directory that is not empty is first moved to the top, and its children then come up in turn.
 */
import { errnoNumber, isKernelError } from "../../ffi/errno.ts";
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import { readDirectory } from "../kernel/directories.ts";
import { pathStatus } from "../kernel/file_status.ts";
import { openFile, tryOpen } from "../kernel/files.ts";
import { Descriptor } from "../kernel/descriptor.ts";
import { AT_REMOVEDIR, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "../kernel/open_flags.ts";

const ENOENT = -errnoNumber("ENOENT");
const EPERM = -errnoNumber("EPERM");
const EISDIR = -errnoNumber("EISDIR");
const EEXIST = -errnoNumber("EEXIST");
const ENOTEMPTY = -errnoNumber("ENOTEMPTY");

// include/uapi/linux/fs.h
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;
const FS_IMMUTABLE_FL = 0x10;
const FS_APPEND_FL = 0x20;

/** Removes a directory with everything in it. Returns false where there was none. Throws a KernelError for what stays. */
export function removeTree(path: string): boolean {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  let parent: Descriptor;
  try {
    parent = openFile(path.slice(0, slash) || "/", { flags: O_DIRECTORY });
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return false;
    throw error;
  }
  using above = parent;
  const descriptor = tryOpen(name, { directory: above.fd, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW });
  if (descriptor === ENOENT) return false;
  using top = new Descriptor(check(descriptor, { operation: "open", subject: path }));
  empty(top.fd, path);
  check(remove(above.fd, name), { operation: "remove", subject: path });
  return true;
}

/** Empties an open directory. */
function empty(top: number, path: string): void {
  let moved = 0;
  // Whatever is moved up comes last; each round takes the entries of the round before away, so there is an end.
  for (let names = readDirectory(top, path); names.length > 0; names = readDirectory(top, path)) {
    for (const name of names) {
      const result = remove(top, name);
      if (result !== ENOTEMPTY && result !== EEXIST) {
        check(result, { operation: "remove", subject: `${path}/${name}` });
        continue;
      }
      // O_NOFOLLOW: the entry is a directory, or it would not be "not empty".
      using directory = openFile(name, { directory: top, flags: O_DIRECTORY | O_NOFOLLOW });
      for (const child of readDirectory(directory.fd, name)) {
        const kept = remove(directory.fd, child);
        if (kept !== ENOTEMPTY && kept !== EEXIST) {
          check(kept, { operation: "remove", subject: `${path}/${name}/${child}` });
        } else moveUp(directory.fd, child, { top, as: `skdocker-removed-${moved++}` });
      }
      check(remove(top, name), { operation: "remove", subject: `${path}/${name}` });
    }
  }
}

/** Removes a file or an empty directory: 0 or -errno. What is immutable is made mutable first. */
function remove(directory: number, name: string): number {
  const text = cString(name);
  const attempt = () => {
    const result = syscall("unlinkat", directory, addressOf(text), 0);
    return result === EISDIR ? syscall("unlinkat", directory, addressOf(text), AT_REMOVEDIR) : result;
  };
  const result = attempt();
  if (result === ENOENT) return 0;
  if (result !== EPERM) return result;
  clearFlags(directory, name);
  clearFlags(directory, ".");
  return attempt();
}

function moveUp(directory: number, name: string, { top, as }: { top: number; as: string }): void {
  const [from, to] = [cString(name), cString(as)];
  const attempt = () => syscall("renameat2", directory, addressOf(from), top, addressOf(to), 1); // RENAME_NOREPLACE
  let result = attempt();
  if (result === EPERM) {
    clearFlags(directory, name);
    clearFlags(directory, ".");
    result = attempt();
  }
  check(result, { operation: "move", subject: name });
}

/** Takes "immutable" and "append only" away from what may be opened for it: directories and regular files. */
function clearFlags(directory: number, name: string): void {
  const type = pathStatus(name, { directory })?.type;
  if (type !== "file" && type !== "directory") return; // opening a device could set it off
  const descriptor = tryOpen(name, { directory, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK });
  if (descriptor < 0) return; // the removal that follows tells what is wrong
  using file = new Descriptor(descriptor);
  const flags = new Int32Array(2);
  const bytes = new Uint8Array(flags.buffer);
  if (syscall("ioctl", file.fd, FS_IOC_GETFLAGS, addressOf(bytes)) < 0) return;
  flags[0] = (flags[0] as number) & ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
  syscall("ioctl", file.fd, FS_IOC_SETFLAGS, addressOf(bytes));
}
