/**
 * The name server's sockets, in the container's namespace: 127.0.0.11, on ports that the kernel chooses.
 *
 * Not on port 53: the container may bind 0.0.0.0:53 itself, and would get EADDRINUSE. Rules in its namespace lead
 * 127.0.0.11:53 to these ports.
 */
import { encodeEndpoint, localPort, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM } from "../kernel/datagram.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { openSocketsIn } from "../kernel/namespaces.ts";

const AF_INET = 2;
/** Connections the kernel completes before they are accepted. */
const BACKLOG = 16;

/** The sockets, and the ports that 127.0.0.11:53 has to be led to. */
export interface ResolverSockets extends Disposable {
  readonly udp: Descriptor;
  readonly tcp: Descriptor;
  readonly udpPort: number;
  readonly tcpPort: number;
}

/** Opens them in the namespace held by `namespace`, whose lo must be up: 127/8 is nobody's address before. */
export function openResolverSockets(namespace: number): ResolverSockets {
  const bind = encodeEndpoint({ address: Uint8Array.of(127, 0, 0, 11), port: 0 });
  const about = { family: AF_INET, protocol: 0, bind };
  const sockets = openSocketsIn(namespace, [
    { name: "udp name server", type: SOCK_DGRAM | SOCK_NONBLOCK, ...about },
    { name: "tcp name server", type: SOCK_STREAM | SOCK_NONBLOCK, listen: BACKLOG, ...about },
  ]);
  // Both were asked for, and a failure would have thrown.
  const udp = sockets.get("udp name server") as Descriptor;
  const tcp = sockets.get("tcp name server") as Descriptor;
  return {
    udp,
    tcp,
    udpPort: localPort(udp.fd),
    tcpPort: localPort(tcp.fd),
    [Symbol.dispose]() {
      udp.close();
      tcp.close();
    },
  };
}
