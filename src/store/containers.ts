/**
 * Records of containers: RUN/containers/ID, locked by whoever supervises the container, for as long as that lives. The
 * lock is the process's own (fcntl): flock(2)'s would also be its child's, for as long as that has not closed the file.
 *
 * A record that nobody holds is dead: its supervisor was killed, and the next command clears away what it left. A
 * record is made before anything it owns and removed after it, so nothing is ever owned by nobody. Each change
 * appends the whole record as a line, by one write(2): a reader takes the last line that is complete.
 */
import { isKernelError } from "../../ffi/errno.ts";
import { check } from "../../ffi/libc.ts";
import { Descriptor } from "../kernel/descriptor.ts";
import { listDirectory, makeDirectories } from "../kernel/directories.ts";
import { takeOwnLock, tryOwnLock } from "../kernel/file_locks.ts";
import { openFile, readAll, removeFile, tryOpen, writeAll } from "../kernel/files.ts";
import { O_APPEND, O_CREAT, O_EXCL, O_RDWR } from "../kernel/open_flags.ts";
import { UserError } from "../user_error.ts";
import { makeLink, readLink } from "./links.ts";
import { takeLock } from "./lock.ts";
import type { Paths } from "./paths.ts";
import { UndoStack } from "../undo.ts";

const ENOENT = 2;

/** What a container has of a network. */
export interface AttachmentRecord {
  /** The driver or network: `bridge`, `ptp`. */
  readonly network: string;
  /** Dotted, with the prefix length it has inside. */
  readonly ip: string;
  readonly prefix: number;
  readonly gateway: string;
  readonly mac: string;
  readonly hostLink: string;
  readonly hostMac: string;
  readonly mtu: number;
  /** ptp alone: whether there is a default route, and a way outside. */
  readonly defaultRoute: boolean;
  readonly masquerade: boolean;
  /** ptp alone: its elements of the rules have been taken back, and must not be put there again. Links may still be there. */
  readonly detached?: true;
}

/** A container as its supervisor knows it. */
export interface ContainerRecord {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly command: readonly string[];
  readonly rootfs: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `--network` as it was asked for. */
  readonly networkMode: string;
  /** Of the container's first process, once it exists, with its start time in clock ticks since boot. */
  readonly process: { readonly pid: number; readonly startTime: number } | null;
  readonly attachment: AttachmentRecord | null;
  /** Whether it was run with network parameters (`--sysctl net.…`) of its own. */
  readonly ownNetworkParameters: boolean;
  /** Where the name server behind 127.0.0.11 listens; absent where there is none. */
  readonly resolver?: { readonly udpPort: number; readonly tcpPort: number };
  /** By which a directory used as root file system is known (mount_points.ts); null for busybox. */
  readonly directory: string | null;
}

/** The records that this process holds, by their paths: to open and close such a file would end the lock on it. */
const held = new Map<string, HeldRecord>();

/** A record held by this process. */
export class HeldRecord implements Disposable {
  readonly #paths: Paths;
  readonly #file: Descriptor;
  #record: ContainerRecord;

  constructor({ paths, file, record }: { paths: Paths; file: Descriptor; record: ContainerRecord }) {
    this.#paths = paths;
    this.#file = file;
    this.#record = record;
    held.set(paths.containerRecord(record.id), this);
  }

  get record(): ContainerRecord {
    return this.#record;
  }

  /** The descriptor of the file, which is none of a child's business. */
  get fd(): number {
    return this.#file.fd;
  }

  /** Changes the record for every reader at once. */
  update(changes: Partial<ContainerRecord>): void {
    const record = { ...this.#record, ...changes };
    appendRecord(this.#file, { paths: this.#paths, record });
    this.#record = record;
  }

  /** Removes the record and its name: the last thing to do for a container. */
  remove(): void {
    using _lock = takeLock(this.#paths.stateLock, "exclusive");
    const name = this.#paths.name(this.#record.name);
    if (this.#record.name !== "" && readLink(name) === this.#record.id) removeFile(name);
    removeFile(this.#paths.containerRecord(this.#record.id));
  }

  /** Gives the lock back: a record that still exists is then dead. */
  [Symbol.dispose](): void {
    held.delete(this.#paths.containerRecord(this.#record.id));
    this.#file.close();
  }
}

/** Makes a record, held by this process, with its name. Throws a {@link UserError} where the name is taken. */
export function createRecord(paths: Paths, record: ContainerRecord): HeldRecord {
  using _lock = takeLock(paths.stateLock, "exclusive");
  const path = paths.containerRecord(record.id);
  using failed = new UndoStack();
  const file = failed.use(createFile(path));
  failed.defer(() => removeFile(path));
  takeOwnLock(file.fd, path);
  appendRecord(file, { paths, record });
  // The record first: a name without one would be found by nobody, should this process be killed between the two.
  claimName(paths, record);
  failed.move();
  return new HeldRecord({ paths, file, record });
}

function createFile(path: string): Descriptor {
  const options = { flags: O_RDWR | O_CREAT | O_EXCL | O_APPEND, mode: 0o600 };
  const fd = tryOpen(path, options);
  if (fd >= 0) return new Descriptor(fd);
  makeDirectories(path.slice(0, path.lastIndexOf("/")), { mode: 0o700 });
  return openFile(path, options);
}

function appendRecord(file: Descriptor, { paths, record }: { paths: Paths; record: ContainerRecord }): void {
  writeAll(file.fd, new TextEncoder().encode(JSON.stringify(record) + "\n"), paths.containerRecord(record.id));
}

function claimName(paths: Paths, { id, name }: ContainerRecord): void {
  const path = paths.name(name);
  if (makeLink(path, id)) return;
  refuseTakenName(paths, name);
  removeFile(path);
  makeLink(path, id);
}

/** Throws a {@link UserError} where a container has that name. */
export function refuseTakenName(paths: Paths, name: string): void {
  const owner = readLink(paths.name(name));
  // A link without a record was left by a process that was killed between the two.
  if (owner === undefined || readRecord(paths, owner) === undefined) return;
  throw new UserError(`The container name "${name}" is already in use by container ${owner.slice(0, 12)}`);
}

/** The record of an id, whoever holds it; `undefined` where there is none, or none that is whole yet. */
export function readRecord(paths: Paths, id: string): ContainerRecord | undefined {
  const path = paths.containerRecord(id);
  const own = held.get(path);
  if (own) return own.record;
  const fd = tryOpen(path);
  if (fd === -ENOENT) return undefined;
  // No other answer says that there is none: the owner of an address would be taken for dead.
  check(fd, { operation: "open", subject: path });
  using file = new Descriptor(fd);
  return lastRecord(file);
}

function lastRecord(file: Descriptor): ContainerRecord | undefined {
  const lines = new TextDecoder().decode(readAll(file.fd)).split("\n");
  // What follows the last line's end is empty, or was cut off; a full disk can have cut off one before it, too.
  for (let index = lines.length - 2; index >= 0; index--) {
    const record = parsedLine(lines[index] as string);
    if (record) return record;
  }
  return undefined;
}

function parsedLine(line: string): ContainerRecord | undefined {
  try {
    return JSON.parse(line) as ContainerRecord;
  } catch {
    return undefined; // the beginning of one line, with the next one behind it
  }
}

/** Waits until nobody holds a record any more: its supervisor has ended, or cleared up and gone. */
export function awaitRelease(paths: Paths, id: string): void {
  const path = paths.containerRecord(id);
  const fd = tryOpen(path, { flags: O_RDWR });
  if (fd < 0) return; // it is gone altogether
  using file = new Descriptor(fd);
  takeOwnLock(file.fd, path);
}

/** The ids of all records, dead ones included; none where nothing has been run since the machine started. */
export function recordedIds(paths: Paths): string[] {
  return idsSinceBoot(paths) ?? [];
}

function idsSinceBoot(paths: Paths): string[] | undefined {
  try {
    return listDirectory(paths.containers);
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** All containers, oldest first. */
export function listContainers(paths: Paths): ContainerRecord[] {
  const records: ContainerRecord[] = [];
  for (const id of recordedIds(paths)) {
    const record = readRecord(paths, id);
    if (record) records.push(record);
  }
  return records.sort((a, b) => a.created - b.created);
}

/** The container of a name, an id or the unique beginning of one. Throws a {@link UserError} where there is none. */
export function findContainer(paths: Paths, nameOrId: string): ContainerRecord {
  const named = nameOrId.includes("/") ? undefined : readLink(paths.name(nameOrId));
  if (named !== undefined) {
    const record = readRecord(paths, named);
    if (record) return record;
  }
  const ids = /^[0-9a-f]+$/.test(nameOrId) ? recordedIds(paths).filter((id) => id.startsWith(nameOrId)) : [];
  if (ids.length > 1) throw new UserError(`More than one container has an id that begins with "${nameOrId}"`);
  const record = ids[0] === undefined ? undefined : readRecord(paths, ids[0]);
  if (!record) throw new UserError(`No such container: ${nameOrId}`);
  return record;
}

/**
 * Takes over every record that nobody holds, for clearing away; two processes never get the same one.
 * A record is made under the same lock, so one that is not locked yet is never mistaken for a dead one.
 * `undefined`: nothing has been run since the machine started.
 */
export function takeDeadRecords(paths: Paths): HeldRecord[] | undefined {
  const ids = idsSinceBoot(paths);
  if (ids === undefined || ids.length === 0) return ids && [];
  using _lock = takeLock(paths.stateLock, "exclusive");
  const dead: HeldRecord[] = [];
  for (const id of ids) {
    const path = paths.containerRecord(id);
    if (held.has(path)) continue;
    const fd = tryOpen(path, { flags: O_RDWR | O_APPEND });
    if (fd === -ENOENT) continue; // removed since the directory was read
    check(fd, { operation: "open", subject: path });
    const file = new Descriptor(fd);
    if (!tryOwnLock(file.fd, path)) {
      file.close();
      continue;
    }
    const record = lastRecord(file);
    if (record) dead.push(new HeldRecord({ paths, file, record }));
    else {
      // Killed before its first line was written, so it owns nothing yet.
      removeFile(path);
      file.close();
    }
  }
  return dead;
}
