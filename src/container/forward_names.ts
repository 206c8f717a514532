/** The name server that a container finds at 127.0.0.11, as a service beside it. */
import type { Attachment } from "../network/attach.ts";
import type { NetworkStep } from "../network/network_step.ts";
import { followHostServers } from "../network/host_servers.ts";
import { resolverService } from "../network/resolver.ts";
import { openResolverSockets } from "../network/resolver_sockets.ts";
import { serverAddresses } from "../network/resolver_upstream.ts";
import type { StepListener } from "../steps.ts";
import type { HeldRecord } from "../store/containers.ts";
import type { Service } from "./supervise.ts";
import type { UndoStack } from "../undo.ts";

/** What the name server is made with. */
export interface ForwardOptions {
  readonly upstreams: readonly string[];
  /** Closes its sockets: they would keep the container's namespace. */
  readonly undo: UndoStack;
  readonly listener?: StepListener<NetworkStep>;
  /** Is told where the server listens, for `net reset`. */
  readonly record?: HeldRecord;
}

/** Opens the server's sockets in the container's namespace, leads port 53 there, and serves once there is a reactor. */
export function forwardNames(
  { namespace }: Attachment,
  { upstreams, undo, listener, record }: ForwardOptions,
): Service {
  if (!namespace) throw new Error("a container on the host's network needs no name server");
  const { ports, ...sockets } = openResolverSockets(namespace.fd, listener);
  record?.update({ resolver: ports });
  return undo.use(resolverService({ ...sockets, servers: serverAddresses(upstreams), follow: followHostServers() }));
}
