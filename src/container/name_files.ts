/** The container's hostname, /etc/hosts and /etc/resolv.conf: files of the run root, bound over the container's own. */
import { isKernelError } from "../../ffi/errno.ts";
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import { makeDirectories, removeDirectory } from "../kernel/directories.ts";
import { openFile, readText, removeFile, writeAll } from "../kernel/files.ts";
import { O_CREAT, O_EXCL, O_WRONLY } from "../kernel/open_flags.ts";
import type { Attachment } from "../network/attach.ts";
import { planHostname, planHosts } from "../network/hosts_file.ts";
import type { NetworkStep } from "../network/network_step.ts";
import { planResolvConf } from "../network/resolv_conf.ts";
import type { StepListener } from "../steps.ts";
import { type AttachmentRecord, type ContainerRecord, findContainer, type HeldRecord } from "../store/containers.ts";
import type { Paths } from "../store/paths.ts";
import type { RunRequest } from "./request.ts";
import type { Service } from "./supervise.ts";
import { UndoStack } from "../undo.ts";

/** What a container finds about names. */
export interface NameFiles {
  readonly hostname: string;
  /** By path in the container: the file that is bound there. */
  readonly files: ReadonlyMap<string, string>;
  /** Starts the name server of 127.0.0.11, where the host's own resolver is out of the container's reach. */
  readonly forwarder:
    | ((
      attachment: Attachment,
      options: { undo: UndoStack; listener: StepListener<NetworkStep>; record: HeldRecord },
    ) => Promise<Service>)
    | null;
  remove(): void;
}

/** Where a container is found in the store, and what it has of a network. */
export interface NameContext {
  readonly paths: Paths;
  readonly record: ContainerRecord;
  readonly attachment: AttachmentRecord | null;
}

/** Writes the files. Throws a {@link UserError} for `host-gateway` on a network without one. */
export function makeNameFiles(
  request: RunRequest,
  { paths, record, attachment }: NameContext,
): NameFiles {
  const { id } = record;
  const { mode } = request.network;
  if (mode.kind === "container") return namesOf(paths, mode.container);
  const hostname = request.hostname ?? (mode.kind === "host" ? hostName() : id.slice(0, 12));
  const plan = planResolvConf({ hostText: readIfThere("/etc/resolv.conf"), options: request.network });
  const hosts = planHosts({
    hostname,
    address: attachment?.ip ?? null,
    gateway: attachment?.gateway ?? null,
    addHosts: request.network.addHosts,
    hostText: mode.kind === "host" ? readIfThere("/etc/hosts") : null,
  });
  const remove = () => removeFiles(paths, id);
  using failed = new UndoStack();
  failed.defer(remove);
  // Root's alone: the container writes these files, and may make one of them a set-uid program.
  makeDirectories(paths.containerRun(id), { mode: 0o700 });
  const files = new Map<string, string>();
  if (plan.text !== null) files.set("/etc/resolv.conf", writeFile(paths.resolvConf(id), plan.text));
  files.set("/etc/hostname", writeFile(paths.hostname(id), planHostname(hostname)));
  files.set("/etc/hosts", writeFile(paths.hosts(id), hosts));
  const upstreams = plan.forwarder?.upstreams;
  const forwarder: NameFiles["forwarder"] = upstreams === undefined ? null : async (to, options) => {
    const { forwardNames } = await import("./forward_names.ts");
    return forwardNames(to, { ...options, upstreams });
  };
  failed.move();
  return { hostname, files, forwarder, remove };
}

/** A container that shares another's network has its names, too, as in docker. */
export function namesOf(paths: Paths, nameOrId: string): NameFiles {
  const { id } = findContainer(paths, nameOrId);
  const files = new Map<string, string>();
  for (
    const [path, file] of [
      ["/etc/resolv.conf", paths.resolvConf(id)],
      ["/etc/hostname", paths.hostname(id)],
      ["/etc/hosts", paths.hosts(id)],
    ] as const
  ) {
    if (readIfThere(file) !== null) files.set(path, file);
  }
  const hostname = (readIfThere(paths.hostname(id)) ?? id.slice(0, 12)).trim();
  return { hostname, files, forwarder: null, remove: () => undefined };
}

/** By name: to read the directory first would cost a start as much as the rest of its end. */
function removeFiles(paths: Paths, id: string): void {
  using all = new UndoStack(); // last things first, and through errors
  all.defer(() => removeDirectory(paths.containerRun(id)));
  for (const path of [paths.hosts(id), paths.hostname(id), paths.resolvConf(id)]) all.defer(() => removeFile(path));
}

/** As others see it, whatever the umask of the caller. */
const FILE_MODE = 0o644;

function writeFile(path: string, text: string): string {
  using file = openFile(path, { flags: O_WRONLY | O_CREAT | O_EXCL, mode: FILE_MODE });
  check(syscall("fchmod", file.fd, FILE_MODE), { operation: "set the mode of", subject: path });
  writeAll(file.fd, new TextEncoder().encode(text), path);
  return path;
}

export function readIfThere(path: string): string | null {
  try {
    return readText(path);
  } catch (error) {
    if (isKernelError(error, "ENOENT", "ENOTDIR")) return null;
    throw error;
  }
}

/** uname(2): six fields of 65 bytes, the second is the host's name. */
export function hostName(): string {
  const bytes = new Uint8Array(6 * 65);
  check(syscall("uname", addressOf(bytes)), { operation: "read", subject: "the host's name" });
  const field = bytes.subarray(65, 130);
  return new TextDecoder().decode(field.subarray(0, field.indexOf(0)));
}
