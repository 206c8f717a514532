/** `--network container:NAME` and `ns:PATH`: a namespace that somebody else made. */
import { isKernelError } from "../../ffi/errno.ts";
import { openNetworkNamespace } from "../kernel/namespaces.ts";
import { openProcess } from "../kernel/pidfd.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { removeFile } from "../kernel/files.ts";
import { type ContainerRecord, findContainer } from "../store/containers.ts";
import { makeLink } from "../store/links.ts";
import type { Paths } from "../store/paths.ts";
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
  if (!target) return { namespace, record: null, notices: [], settle: nothing, release: () => namespace.close() };
  // Tells the target's supervisor that its namespace outlives it.
  const joined = makeLink(paths.joined(target.id), record.record.id);
  const release = () => {
    namespace.close();
    if (joined) removeFile(paths.joined(target.id));
  };
  return { namespace, record: null, notices: [], settle: nothing, release };
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
