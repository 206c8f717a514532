/**
 * `--dry-run` of a network: the steps that would be done now, announced and not done. What is chosen under a lock, the
 * address, is only looked up, so it may be somebody else's by the time it would be taken.
 */
import { readSysctl, sysctlPath } from "../host/sysctl.ts";
import { formatIpv4, parseIpv4, parseIpv4Network } from "../kernel/ipv4.ts";
import { createNetworkNamespace } from "../kernel/namespaces.ts";
import type { StepListener } from "../steps.ts";
import type { AttachmentRecord } from "../store/containers.ts";
import { readFormerAddress } from "../store/networks.ts";
import type { Paths } from "../store/paths.ts";
import { describeAttachment } from "./attach.ts";
import { type Attaching, NAMESPACE_PARAMETERS, planAddress, planNamespace, planPair } from "./attach_plan.ts";
import { BRIDGE_LINK, BRIDGE_NETWORK } from "./bridge.ts";
import { resolverTable } from "./firewall_plan.ts";
import { hardenedParameters, type LinkParameters } from "./parameter_plan.ts";
import { ptpSteps } from "./ptp_plan.ts";
import { NetworkExecutor } from "./execute.ts";
import { openJoined } from "./join.ts";
import { type LeasePool, nextAddress } from "./lease.ts";
import type { NetworkStep } from "./network_step.ts";
import { readParameters } from "./observe.ts";
import type { NetworkOptions } from "./options.ts";
import { plannedPtpPool } from "./ptp.ts";
import { planReconcile } from "./reconcile.ts";

/** Whose attachment is imagined. */
export interface DryAttachRequest {
  readonly paths: Paths;
  readonly id: string;
  readonly name: string;
  readonly options: NetworkOptions;
  readonly listener: StepListener<NetworkStep>;
}

/** Announces the steps of an attachment; returns what the container would have of the network. */
export function announceAttach(request: DryAttachRequest): AttachmentRecord | null {
  const { paths, options, listener } = request;
  const { mode } = options;
  if (mode.kind === "container" || mode.kind === "ns") openJoined(paths, mode).namespace.close(); // throws for none
  if (mode.kind === "none") { for (const step of planNamespace(inherited(), mode)) listener(step); }
  if (mode.kind !== "bridge" && mode.kind !== "ptp") return null;
  using executor = new NetworkExecutor(() => "go"); // asks, and is given nothing to do
  const { steps, intent, mtu } = planReconcile(executor, paths);
  const bridgePool: LeasePool = {
    network: BRIDGE_NETWORK,
    subnet: parseIpv4Network(intent.subnet),
    gateway: parseIpv4(intent.gateway),
  };
  const pool = mode.kind === "bridge" ? bridgePool : plannedPtpPool(paths);
  const attaching = imagine(request, { pool, mtu });
  for (const step of steps) listener(step);
  for (const step of planNamespace(inherited(), { loopback: "up" })) listener(step);
  const fresh = readParameters(hardenedParameters("default").map(([name]) => name));
  for (const step of [...planPair(attaching, { fresh, hostSteps: ptpSteps(attaching) }), ...planAddress(attaching)]) {
    listener(step);
  }
  return attaching.attachment;
}

/** Announces what leads to the name server of 127.0.0.11; its ports are the kernel's to choose. */
export function announceResolver(listener: StepListener<NetworkStep>): void {
  for (const operation of resolverTable({ udpPort: IMAGINED_PORT, tcpPort: IMAGINED_PORT })) {
    listener({ do: "change firewall", purpose: "resolver", side: "container", operation });
  }
}

/** The first that the kernel may choose: net.ipv4.ip_local_port_range. */
const IMAGINED_PORT = 32768;

function imagine(
  { paths, id, name, options }: DryAttachRequest,
  { pool, mtu }: { pool: LeasePool; mtu: number },
): Attaching {
  const former = readFormerAddress(paths, pool.network, name);
  const address = nextAddress(paths, pool, {
    wanted: options.ip === null ? null : parseIpv4(options.ip),
    former: former === undefined ? null : parseIpv4(former.ip),
  });
  const formerMac = former?.ip === formatIpv4(address) ? former.mac : null;
  const attachment = describeAttachment({ options, pool, id, address, mtu, formerMac });
  return { attachment, alias: name, bridge: options.mode.kind === "bridge" ? BRIDGE_LINK : null };
}

/** What a new namespace takes over, which nothing tells but a new namespace: made for that, and given up at once. */
function inherited(): LinkParameters {
  using made = createNetworkNamespace({
    sysctls: NAMESPACE_PARAMETERS.map(([name]) => ({ path: sysctlPath(name), value: "0", optional: true })),
    sockets: [],
  });
  const values: Record<string, string | null> = {};
  for (const [name] of NAMESPACE_PARAMETERS) {
    values[name] = made.former.get(sysctlPath(name)) ?? (readSysctl(name) === null ? null : "");
  }
  return values;
}
