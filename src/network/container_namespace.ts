/** A container's network namespace: made, held by a descriptor, with the socket through which it is configured. */
import { sysctlPath } from "../host/sysctl.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import type { NamespaceSysctl, NetworkNamespaceOptions } from "../kernel/namespace_plan.ts";
import { createNamespaceByImage, createNetworkNamespace, type NetworkNamespace } from "../kernel/namespaces.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../kernel/netlink/socket.ts";
import { announce, type StepListener } from "../steps.ts";
import { NAMESPACE_PARAMETERS, planNamespace } from "./attach_plan.ts";
import type { LinkParameters } from "./parameter_plan.ts";
import type { NetworkExecutor } from "./execute.ts";
import { describeStep, type NetworkStep } from "./network_step.ts";

/** A namespace with the sockets through which it is configured. */
export interface Inside {
  readonly namespace: Descriptor;
  readonly route: NetlinkSocket;
  close(): void;
}

// include/linux/socket.h, net.h
const AF_NETLINK = 16;
const SOCK_RAW = 3;

/** What every container's own namespace is made with. */
export function containerNamespace(): NetworkNamespaceOptions {
  const sysctls: NamespaceSysctl[] = [];
  for (const [name, value] of NAMESPACE_PARAMETERS) {
    sysctls.push({ path: sysctlPath(name), value, optional: name.startsWith("net.ipv6") });
  }
  return { sysctls, sockets: [{ name: "route", family: AF_NETLINK, type: SOCK_RAW, protocol: NETLINK_ROUTE }] };
}

/** Makes it, by the program assembled at build time where that can be had, and puts lo in order. */
export async function makeNamespace(
  executor: NetworkExecutor,
  { listener, loopback }: { listener: StepListener<NetworkStep>; loopback: "up" | "down" },
): Promise<Inside> {
  const { containerNamespaceImage } = await import("#programs");
  const options = containerNamespace();
  const made = createNamespaceByImage(options, containerNamespaceImage) ?? createNetworkNamespace(options);
  try {
    // It was asked for, and a failure would have thrown.
    const route = NetlinkSocket.adopt((made.sockets.get("route") as Descriptor).release(), NETLINK_ROUTE);
    const { descriptor: namespace } = made;
    const close = () => {
      route[Symbol.dispose]();
      namespace.close();
    };
    const inside = { namespace, route, close };
    executor.enter({ namespace: namespace.fd, route });
    const steps = planNamespace(inherited(made), { loopback });
    // What the native call has done already is announced now: only it could tell what the values were before.
    for (const step of steps) {
      if (step.do === "set link") executor.run([step]);
      else announce(listener, step, describeStep(step));
    }
    return inside;
  } catch (error) {
    made[Symbol.dispose]();
    throw error;
  }
}

function inherited(made: NetworkNamespace): LinkParameters {
  const values: Record<string, string | null> = {};
  for (const [name] of NAMESPACE_PARAMETERS) values[name] = made.former.get(sysctlPath(name)) ?? null;
  return values;
}
