/**
 * The name server's sockets, in the container's namespace: 127.0.0.11, on ports that the kernel chooses.
 *
 * Not on port 53: the container may bind 0.0.0.0:53 itself, and would get EADDRINUSE. Rules in its namespace lead
 * 127.0.0.11:53 to these ports. All of it ends with the namespace, so nothing has to be taken back.
 */
import {
  encodeEndpoint,
  localPort,
  setReceiveMemory,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from "../kernel/datagram.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { openSocketsIn } from "../kernel/namespaces.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "../kernel/netlink/socket.ts";
import { sendBatch } from "../kernel/nftables/batch.ts";
import { announce, type StepListener } from "../steps.ts";
import { resolverTable } from "./firewall_plan.ts";
import { describeStep, type NetworkStep } from "./network_step.ts";

// include/linux/socket.h, include/uapi/linux/netlink.h
const AF_INET = 2;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
/** For a thousand and more questions at once: one that finds no room is asked again by libc after five seconds. */
const RECEIVE_MEMORY = 1 << 20;
/** Connections the kernel completes before they are accepted. */
const BACKLOG = 16;

/** A bound and a listening socket, non-blocking, to which 127.0.0.11:53 leads. */
export interface ResolverSockets {
  readonly udp: Descriptor;
  readonly tcp: Descriptor;
  readonly ports: { readonly udpPort: number; readonly tcpPort: number };
}

/**
 * Opens the sockets in the namespace held by the descriptor `namespace`, and loads the rules that lead to them.
 * Its lo must be up: before, 127/8 is nobody's address (EADDRNOTAVAIL).
 */
export function openResolverSockets(
  namespace: number,
  listener: StepListener<NetworkStep> = () => "go",
): ResolverSockets {
  const bind = encodeEndpoint({ address: Uint8Array.of(127, 0, 0, 11), port: 0 });
  const about = { family: AF_INET, protocol: 0, bind };
  const sockets = openSocketsIn(namespace, [
    { name: "udp", type: SOCK_DGRAM | SOCK_NONBLOCK, ...about },
    { name: "tcp", type: SOCK_STREAM | SOCK_NONBLOCK, listen: BACKLOG, ...about },
    { name: "rules", family: AF_NETLINK, type: SOCK_RAW, protocol: NETLINK_NETFILTER },
  ]);
  // All were asked for, and a failure would have thrown.
  const [udp, tcp, rules] = ["udp", "tcp", "rules"].map((name) => sockets.get(name)) as [
    Descriptor,
    Descriptor,
    Descriptor,
  ];
  try {
    setReceiveMemory(udp.fd, RECEIVE_MEMORY);
    using netlink = NetlinkSocket.adopt(rules.release(), NETLINK_NETFILTER);
    const ports = { udpPort: localPort(udp.fd), tcpPort: localPort(tcp.fd) };
    const operations = resolverTable(ports);
    for (const operation of operations) {
      const step = { do: "change firewall", purpose: "resolver", side: "container", operation } as const;
      announce(listener, step, describeStep(step));
    }
    sendBatch(netlink, operations);
    return { udp, tcp, ports };
  } catch (error) {
    udp.close();
    tcp.close();
    throw error;
  }
}
