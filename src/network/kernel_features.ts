/**
 * Which features of the kernel the network needs are there: by using them, in a namespace of their own that is given
 * up at once. What is built in, what is a module, and what a module that is not loaded yet would bring, all show so.
 */
import { type ErrnoName, isKernelError, type KernelError } from "../../ffi/errno.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { createNetworkNamespace } from "../kernel/namespaces.ts";
import { newBridge, newVeth } from "../kernel/netlink/link.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket } from "../kernel/netlink/socket.ts";
import { sendBatch } from "../kernel/nftables/batch.ts";
import { makeFirewall, resolverTable } from "./firewall_plan.ts";

// include/linux/socket.h
const AF_NETLINK = 16;
const SOCK_RAW = 3;

/** `"present"`, or what the kernel said. */
type Found = "present" | `missing: ${string}`;

/** Feature → whether it is there, and what is lost without it. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN. */
export function networkFeatures(): Record<string, Found> {
  const route = inNamespace(NETLINK_ROUTE);
  const filter = inNamespace(NETLINK_NETFILTER);
  try {
    const socket = (found: NetlinkSocket | KernelError) => {
      if (found instanceof NetlinkSocket) return found;
      throw found;
    };
    return {
      networkNamespaces: tried(() => socket(route), "only --network host can be used"),
      bridge: tried(() => socket(route).transact([newBridge({ name: "probe0" })]), "no container can be on the bridge"),
      veth: tried(
        () => socket(route).transact([newVeth({ name: "probe1", peer: { name: "probe2" } })]),
        "containers can have --network none and host alone",
      ),
      nftables: tried(
        () => sendBatch(socket(filter), makeFirewall()),
        "containers can have --network none and host alone",
      ),
      nftablesNat: tried(
        () => sendBatch(socket(filter), resolverTable({ udpPort: 1, tcpPort: 1 })),
        "a host's resolver on a loopback address cannot be asked by containers",
      ),
    };
  } finally {
    for (const found of [route, filter]) if (found instanceof NetlinkSocket) found[Symbol.dispose]();
  }
}

/** A socket in a namespace of its own, which lives as long as the socket; the refusal, where it cannot be had. */
function inNamespace(protocol: number): NetlinkSocket | KernelError {
  try {
    const sockets = [{ name: "probe", family: AF_NETLINK, type: SOCK_RAW, protocol }];
    using made = createNetworkNamespace({ sysctls: [], sockets });
    return NetlinkSocket.adopt((made.sockets.get("probe") as Descriptor).release(), protocol);
  } catch (error) {
    if (isKernelError(error)) return error;
    throw error;
  }
}

/** What else than these a probe meets is no lack of the kernel's, and thrown. */
const LACKS: readonly ErrnoName[] = [
  "EOPNOTSUPP",
  "ENOENT",
  "EINVAL",
  "ENODEV",
  "ENOSYS",
  "EPROTONOSUPPORT",
  "EAFNOSUPPORT",
  "EPERM",
  "ENOSPC",
];

function tried(probe: () => unknown, lost: string): Found {
  try {
    probe();
    return "present";
  } catch (error) {
    if (!isKernelError(error, ...LACKS)) throw error;
    return `missing: ${error.code}, ${lost}`;
  }
}
