/**
 * ContainerRoot: the only way into a container's files from the host.
 *
 * Whatever lies in a root file system was put there by someone else: a symbolic link may point at the host's
 * /etc/shadow. So every path is resolved by openat2 inside the root (RESOLVE_IN_ROOT) and through no magic link of a
 * /proc that may be mounted there, and only the last name of a path is ever made or removed, in a directory that is
 * held open.
 */
import { errnoNumber, isKernelError, KernelError } from "../../ffi/errno.ts";
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import { UndoStack } from "../undo.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { fileStatus, pathStatus } from "../kernel/file_status.ts";
import { openFile, openResolved, readInto } from "../kernel/files.ts";
import { AT_REMOVEDIR, O_DIRECTORY, O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from "../kernel/open_flags.ts";

const S_IFREG = 0o100000;
/** As many links as the kernel follows in one path (path_resolution(7)). */
const MOST_LINKS = 40;

/** Busy, immutable, read-only by now: somebody else's doing. */
const NOT_OURS = ["EBUSY", "EPERM", "EACCES", "EROFS"] as const;

/** What was made in a root, as paths in it, outer ones first. */
export interface MadeEntry {
  readonly path: string;
  readonly kind: "file" | "directory";
}

/** A directory of the host that is, or will be, a container's root. */
export class ContainerRoot implements Disposable {
  readonly path: string;
  readonly #root: Descriptor;

  /** Opens a directory of the host, following links of the host's path. */
  constructor(path: string) {
    this.path = path;
    this.#root = openFile(path, { flags: O_PATH | O_DIRECTORY });
  }

  get fd(): number {
    return this.#root.fd;
  }

  /** Opens a path of the container. Throws a KernelError, with ENOENT and ELOOP as the container would see them. */
  open(path: string, flags: number): Descriptor {
    const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return openResolved(relative(path), { flags, directory: this.#root.fd, resolve });
  }

  /**
   * The beginning of a regular file, at most `limit` bytes as text; "" where there is none. Anything else counts as
   * none, and is not even opened: a pipe would keep us waiting, and some devices begin to act (a watchdog, a tape).
   */
  readText(path: string, limit = 1 << 20): string {
    try {
      using found = this.open(path, O_PATH);
      if (fileStatus(found.fd).type !== "file") return "";
      using file = openFile(`/proc/self/fd/${found.fd}`); // the very file that was looked at
      const bytes = new Uint8Array(limit);
      let length = 0;
      for (let count = 1; count > 0 && length < limit; length += count) {
        count = check(readInto(file.fd, bytes.subarray(length)), { operation: "read", subject: path });
      }
      return new TextDecoder().decode(bytes.subarray(0, length));
    } catch (error) {
      if (isKernelError(error, "ENOENT", "ENOTDIR", "ELOOP", "EISDIR", "ENXIO", "EACCES")) return "";
      throw error;
    }
  }

  /** What a path leads to, links followed inside the root; `undefined` for nothing. */
  kindOf(path: string): "directory" | "file" | undefined {
    try {
      using file = this.open(path, O_PATH);
      return fileStatus(file.fd).type === "directory" ? "directory" : "file";
    } catch (error) {
      if (isKernelError(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
      throw error;
    }
  }

  /**
   * Makes a path exist, as a directory or an empty file, with the directories above it, and returns what was made. A
   * link that leads nowhere is followed inside the root, and what it should lead to is made (a Debian's
   * /etc/resolv.conf points into /run). Each thing is told just before it is made. Throws a KernelError where that
   * cannot be; what was made by then stays.
   */
  ensure(path: string, kind: "file" | "directory", willMake: (entry: MadeEntry) => void): void {
    const wanted = parts(path);
    const done: string[] = [];
    for (let links = 0; wanted.length > 0;) {
      const name = wanted.shift() as string; // not empty
      if (name === "..") {
        done.pop(); // above the root is the root
        continue;
      }
      using parent = this.open(done.join("/"), O_PATH | O_DIRECTORY);
      const status = pathStatus(name, { directory: parent.fd });
      if (status?.type === "link") {
        if (++links > MOST_LINKS) {
          throw new KernelError({ operation: "make", subject: done.join("/"), errno: errnoNumber("ELOOP") });
        }
        const target = readLink(parent.fd, name);
        if (target.startsWith("/")) done.length = 0;
        wanted.unshift(...parts(target));
        continue;
      }
      done.push(name);
      if (status) continue;
      const entry: MadeEntry = { path: `/${done.join("/")}`, kind: wanted.length > 0 ? "directory" : kind };
      willMake(entry);
      makeEntry(parent.fd, name, entry);
    }
  }

  /** Removes what {@link ensure} has made, as far as it is still empty and the same kind of thing. */
  removeMade(made: readonly MadeEntry[]): void {
    using all = new UndoStack(); // the last one first, and on through errors
    for (const entry of made) all.defer(() => this.#removeOne(entry));
  }

  #removeOne({ path, kind }: MadeEntry): void {
    const name = path.slice(path.lastIndexOf("/") + 1);
    try {
      // Not followed: the way there was free of links when it was made.
      using parent = this.open(path.slice(0, path.lastIndexOf("/")), O_PATH | O_DIRECTORY);
      const status = pathStatus(name, { directory: parent.fd });
      if (kind === "file" && (status?.type !== "file" || status.size > 0)) return;
      const result = syscall("unlinkat", parent.fd, addressOf(cString(name)), kind === "directory" ? AT_REMOVEDIR : 0);
      check(result, { operation: "remove the mount point", subject: path });
    } catch (error) {
      // The container has moved or used it: then it is the container's. Or the directory is not to be written any more.
      if (!isKernelError(error, "ENOENT", "ENOTDIR", "ELOOP", "ENOTEMPTY", "EEXIST", "EISDIR", ...NOT_OURS)) {
        throw error;
      }
    }
  }

  [Symbol.dispose](): void {
    this.#root.close();
  }
}

function relative(path: string): string {
  return parts(path).join("/") || ".";
}

function parts(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** Makes a directory or an empty file; false where another has made it meanwhile. */
function makeEntry(directory: number, name: string, { path, kind }: MadeEntry): boolean {
  const text = cString(name);
  const result = kind === "directory"
    ? syscall("mkdirat", directory, addressOf(text), 0o755)
    : syscall("mknodat", directory, addressOf(text), S_IFREG | 0o644, 0);
  if (result === -errnoNumber("EEXIST")) return false;
  check(result, { operation: "make the mount point", subject: path });
  return true;
}

function readLink(directory: number, name: string): string {
  const bytes = new Uint8Array(4096);
  const text = cString(name);
  const length = syscall("readlinkat", directory, addressOf(text), addressOf(bytes), bytes.length);
  return new TextDecoder().decode(bytes.subarray(0, check(length, { operation: "read the link", subject: name })));
}
