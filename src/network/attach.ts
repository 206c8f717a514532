/**
 * HOW A CONTAINER GETS ITS ADDRESS. Read {@link attachContainer} first; its numbered steps are the whole story.
 *
 * The namespace is made, held by a descriptor and configured through sockets that were opened inside it, before there
 * is a process in it: no race between parent and child, and a failure up to there costs nothing.
 */
import { isKernelError } from "../../ffi/errno.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { pathStatus } from "../kernel/file_status.ts";
import { formatIpv4, type Ipv4, parseIpv4, parseIpv4Network } from "../kernel/ipv4.ts";
import { deleteLink, getLink } from "../kernel/netlink/link.ts";
import type { StepListener } from "../steps.ts";
import type { AttachmentRecord, HeldRecord } from "../store/containers.ts";
import { readFormerAddress, rememberAddress } from "../store/networks.ts";
import { takeLock } from "../store/lock.ts";
import type { Paths } from "../store/paths.ts";
import { UserError } from "../user_error.ts";
import { type Attaching, planAddress, planPair } from "./attach_plan.ts";
import { BRIDGE_LINK, BRIDGE_NETWORK, ensureBridge, macOf, type ReadyBridge } from "./bridge.ts";
import { hardenedParameters } from "./parameter_plan.ts";
import { NetworkExecutor } from "./execute.ts";
import { makeNamespace } from "./container_namespace.ts";
import { type LeasePool, releaseLease, takeLease } from "./lease.ts";
import type { NetworkStep } from "./network_step.ts";
import { settlePair } from "./settle.ts";
import { readParameters } from "./observe.ts";
import type { NetworkOptions } from "./options.ts";
import { UndoStack } from "../undo.ts";

/** What is to be attached, and who hears of the steps. */
export interface AttachRequest {
  readonly paths: Paths;
  readonly record: HeldRecord;
  readonly options: NetworkOptions;
  readonly listener: StepListener<NetworkStep>;
}

/** A container's place in a network. */
export interface Attachment {
  /** The namespace the child is to join; null for the host's. */
  readonly namespace: Descriptor | null;
  readonly record: AttachmentRecord | null;
  /** Things the user should hear, one sentence each. */
  readonly notices: readonly string[];
  /** Waits until the link carries packets both ways, and announces the address. */
  settle(): void;
  /** The command runs: what its name has is remembered for the next container of that name. */
  started(): void;
  /** Gives everything back, in reverse order; goes on through errors and throws them together. */
  release(): void;
}

/** Attaches a container to the network it asked for. Throws after undoing what it had done. */
export async function attachContainer(request: AttachRequest): Promise<Attachment> {
  const { mode } = request.options;
  switch (mode.kind) {
    case "bridge":
    case "ptp":
      return await attachPair(request);
    case "none":
      return await attachNothing(request, mode.loopback);
    case "host":
      return { namespace: null, record: null, notices: [], settle: nothing, started: nothing, release: nothing };
    case "container":
    case "ns": {
      const { joinNamespace } = await import("./join.ts");
      return joinNamespace(request);
    }
  }
}

function nothing(): void {
  // Nothing was taken, so there is nothing to do.
}

/** Bridge and ptp: a pair of links, an address, a way out. */
async function attachPair({ paths, record, options, listener }: AttachRequest): Promise<Attachment> {
  using undo = new UndoStack();
  const executor = undo.use(new NetworkExecutor(listener));
  undo.defer(() => executor.undo());
  // 1. The network is healthy, and stays: nobody takes it away until the record says that we are on it.
  const pairs = options.mode.kind === "ptp" ? await pairPool(paths) : null;
  const bridge = await ensureBridge(executor, paths);
  using _lock = bridge.lock;
  // 2. An address nobody else has; the record says so before any link exists.
  const pool = pairs ?? bridgePool(bridge);
  const attaching = lease({ paths, record, options, pool, mtu: bridge.state.mtu });
  undo.defer(() => releaseAddress(paths, record.record.id, attaching.attachment));
  // 3. A namespace of its own, and sockets opened inside.
  const inside = await makeNamespace(executor, { listener, loopback: "up" });
  undo.defer(() => inside.close());
  // 4. The pair, one end in the bridge, the other in the namespace; the address; the way out.
  const ptp = attaching.bridge === null ? await import("./ptp_plan.ts") : undefined;
  const { attachment } = attaching;
  if (ptp) {
    await guardElements(executor, paths);
    undo.defer(() => detachPair(executor, { paths, record, steps: ptp.planPtpDetach(attachment) }));
  }
  undo.defer(() => removeIfJoined(executor, { paths, record }));
  undo.defer(() => executor.undo());
  makePair(
    executor,
    planPair(attaching, {
      fresh: readParameters(FRESH_PARAMETERS),
      hostSteps: ptp?.ptpHostSteps(attachment) ?? [],
    }),
  );
  executor.run(planAddress(attaching));
  executor.keep(); // from here on the links end with the namespace
  const notices = bridge.state.notices[options.mode.kind === "ptp" ? "ptp" : "bridge"];
  const settle = () => settlePair(executor, { ...attaching, route: inside.route });
  const owned = undo.move();
  return {
    namespace: inside.namespace,
    record: attaching.attachment,
    notices,
    settle,
    started: () => remember(paths, record),
    release: () => owned.dispose(),
  };
}

function makePair(executor: NetworkExecutor, steps: readonly NetworkStep[]): void {
  try {
    executor.run(steps);
  } catch (error) {
    throw isKernelError(error, "EXFULL") ? bridgeFull(error) : error;
  }
}

/** What a pair changes of the rules is no reason for the next start to look at everything. */
async function guardElements(executor: NetworkExecutor, paths: Paths): Promise<void> {
  const { changeOwnElements } = await import("./own_change.ts");
  executor.guardFirewall((send) => changeOwnElements(executor.nft, paths, send));
}

/** Under the lock, and on the record with it, lest a reset at work now, or before the record goes, puts back what goes. */
function detachPair(
  executor: NetworkExecutor,
  { paths, record, steps }: { paths: Paths; record: HeldRecord; steps: readonly NetworkStep[] },
): void {
  using _lock = takeLock(paths.networkLock, "shared");
  executor.run(steps);
  executor.keep();
  const { attachment } = record.record;
  if (attachment) record.update({ attachment: { ...attachment, detached: true } });
}

/** BR_MAX_PORTS of net/bridge/br_private.h is 1,024, and no port has the number 0. */
function bridgeFull(cause: unknown): UserError {
  return new UserError(`The bridge "${BRIDGE_LINK}" is full: the kernel gives a bridge at most 1,023 ports`, { cause });
}

/** The parameters that a new link of this host takes over. */
const FRESH_PARAMETERS: string[] = [];
for (const [name] of hardenedParameters("default")) FRESH_PARAMETERS.push(name);

/** A namespace with lo alone. */
async function attachNothing({ listener }: AttachRequest, loopback: "up" | "down"): Promise<Attachment> {
  using executor = new NetworkExecutor(listener);
  const inside = await makeNamespace(executor, { listener, loopback });
  const { namespace } = inside;
  return { namespace, record: null, notices: [], settle: nothing, started: nothing, release: () => inside.close() };
}

function bridgePool({ state }: ReadyBridge): LeasePool {
  const { address: gateway } = parseIpv4Network(state.gateway);
  return { network: BRIDGE_NETWORK, subnet: parseIpv4Network(state.subnet), gateway };
}

async function pairPool(paths: Paths): Promise<LeasePool> {
  const { ptpPool } = await import("./ptp.ts");
  return ptpPool(paths);
}

/** Takes an address and records everything that is decided with it. */
function lease(
  { paths, record, options, pool, mtu }: Omit<AttachRequest, "listener"> & { pool: LeasePool; mtu: number },
): Attaching {
  const { id, name } = record.record;
  const former = isMadeUp(name) ? undefined : readFormerAddress(paths, pool.network, name);
  const address = takeLease(paths, pool, {
    owner: id,
    wanted: options.ip === null ? null : parseIpv4(options.ip),
    former: former === undefined ? null : parseIpv4(former.ip),
  });
  using failed = new UndoStack();
  failed.defer(() => releaseLease(paths, { network: pool.network, owner: id, address }));
  const keepsMac = former?.ip === formatIpv4(address);
  const attachment = describeAttachment({
    options,
    pool,
    id,
    address,
    mtu,
    formerMac: keepsMac ? former.mac : null,
  });
  record.update({ attachment });
  failed.move();
  return { attachment, alias: name, bridge: options.mode.kind === "bridge" ? BRIDGE_LINK : null };
}

/** What a container is to have, from its address and what was asked for. Pure. */
export function describeAttachment(
  { options, pool, id, address, mtu, formerMac }: {
    options: NetworkOptions;
    pool: LeasePool;
    id: string;
    address: Ipv4;
    mtu: number;
    formerMac: string | null;
  },
): AttachmentRecord {
  const { mode } = options;
  const onBridge = mode.kind === "bridge";
  return {
    network: pool.network,
    ip: formatIpv4(address),
    prefix: onBridge ? pool.subnet.prefix : 32,
    gateway: formatIpv4(pool.gateway),
    mac: options.mac ?? formerMac ?? macOf(address, 0x53),
    hostLink: `veth${id.slice(0, 8)}`,
    hostMac: macOf(address, 0x54),
    mtu,
    defaultRoute: mode.kind === "ptp" ? mode.gateway : true,
    masquerade: mode.kind === "ptp" ? mode.masquerade : true,
  };
}

function releaseAddress(paths: Paths, owner: string, { network, ip }: AttachmentRecord): void {
  releaseLease(paths, { network, owner, address: parseIpv4(ip) });
}

/** The next container of that name is to find its address and MAC again. */
function remember(paths: Paths, { record: { name, attachment } }: HeldRecord): void {
  if (attachment && !isMadeUp(name)) {
    rememberAddress(paths, attachment.network, { name, ip: attachment.ip, mac: attachment.mac });
  }
}

/** Names that nobody chose are ids, cut short. */
function isMadeUp(name: string): boolean {
  if (name.length !== 12) return false;
  for (const digit of name) if (!"0123456789abcdef".includes(digit)) return false;
  return true;
}

/** Another container may hold our namespace, and with it the pair; the address is not ours any more, so it goes. */
function removeIfJoined(executor: NetworkExecutor, { paths, record }: { paths: Paths; record: HeldRecord }): void {
  const { id, attachment } = record.record;
  if (!attachment || !pathStatus(paths.joined(id))) return;
  try {
    executor.host.transact([deleteLink(getLink(executor.host, attachment.hostLink).index)]);
  } catch (error) {
    if (!isKernelError(error, "ENODEV")) throw error; // the namespace has ended, and the pair with it
  }
}
