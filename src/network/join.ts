/** `--network container:NAME` and `ns:PATH`: a namespace that somebody else made. */
import { isKernelError } from "../../ffi/errno.ts";
import { openNetworkNamespace } from "../kernel/namespaces.ts";
import { openProcess } from "../kernel/pidfd.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { listDirectory, removeIfEmpty } from "../kernel/directories.ts";
import { removeFile } from "../kernel/files.ts";
import { type ContainerRecord, findContainer } from "../store/containers.ts";
import { makeLink } from "../store/links.ts";
import { takeLock } from "../store/lock.ts";
import type { Paths } from "../store/paths.ts";
import { UndoStack } from "../undo.ts";
import { UserError } from "../user_error.ts";
import type { Attachment, AttachRequest } from "./attach.ts";
import type { NetworkMode } from "./options.ts";

type JoiningMode = Extract<NetworkMode, { kind: "container" | "ns" }>;

/** The namespace, to be closed by the caller, and the container it is of. Throws a {@link UserError} for none. */
export function openJoined(
  paths: Paths,
  mode: JoiningMode,
): { namespace: Descriptor; target: ContainerRecord | undefined } {
  if (mode.kind === "ns") return { namespace: openNamespace(mode.path), target: undefined };
  const target = findContainer(paths, mode.container);
  return { namespace: openContainerNamespace(target), target };
}

/** Opens the namespace. Throws a {@link UserError} where there is none to join. */
export function joinNamespace({ paths, record, options }: AttachRequest): Attachment {
  const mode = options.mode as JoiningMode; // the caller's two cases
  const { namespace, target } = openJoined(paths, mode);
  if (!target) {
    const release = () => namespace.close();
    return { namespace, record: null, notices: [], settle: nothing, started: nothing, release };
  }
  const { id } = record.record;
  using undo = new UndoStack();
  undo.use(namespace);
  undo.defer(() => forgetJoins(paths, id, [target.id]));
  // Tells the target's supervisor that its namespace outlives it.
  recordJoin(paths, target.id, id);
  const owned = undo.move();
  const release = () => owned.dispose();
  return { namespace, record: null, notices: [], settle: nothing, started: nothing, release };
}

function recordJoin(paths: Paths, target: string, joiner: string): void {
  using _lock = takeLock(paths.stateLock, "exclusive"); // or the last one to leave might take the directory away
  makeLink(paths.joinedBy(target, joiner), joiner);
}

/** A container has left the namespaces of others; without `targets`, of whichever there are. */
export function forgetJoins(paths: Paths, joiner: string, targets: readonly string[] = joinedTargets(paths)): void {
  if (targets.length === 0) return;
  using _lock = takeLock(paths.stateLock, "exclusive");
  for (const target of targets) {
    removeFile(paths.joinedBy(target, joiner));
    removeIfEmpty(paths.joined(target)); // others may have joined it, too
  }
}

function joinedTargets(paths: Paths): string[] {
  try {
    return listDirectory(paths.joinedDirectory);
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return []; // nobody has ever joined anybody
    throw error;
  }
}

function nothing(): void {
  // The namespace is configured by whoever made it.
}

function openNamespace(path: string) {
  try {
    return openNetworkNamespace(path);
  } catch (error) {
    if (isKernelError(error, "ENOENT")) throw new UserError(`There is no network namespace at "${path}"`);
    if (isKernelError(error, "EINVAL", "ENOTTY", "EISDIR")) throw new UserError(`"${path}" is not a network namespace`);
    throw error;
  }
}

/** The pidfd is opened first and asked last: what was opened in between belongs to the container's own process. */
function openContainerNamespace({ name, process }: ContainerRecord) {
  const gone = () => new UserError(`Cannot join the network of container "${name}": it is not running`);
  if (!process) throw gone();
  using pidfd = openProcess(process);
  if (!pidfd) throw gone();
  const namespace = openNamespace(`/proc/${process.pid}/ns/net`);
  using still = openProcess(process);
  if (still) return namespace;
  namespace.close();
  throw gone();
}
