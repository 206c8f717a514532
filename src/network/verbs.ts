/** What `skdocker net` does: init, ls, inspect, reset, purge. */
import { awaitEnd, openProcess, signalPidfd } from "../kernel/pidfd.ts";
import { removeCgroupParents } from "../kernel/cgroup.ts";
import type { StepListener } from "../steps.ts";
import { awaitRelease, type ContainerRecord, listContainers, recordedIds } from "../store/containers.ts";
import { takeLock } from "../store/lock.ts";
import { type NetworkIntent, readNetwork } from "../store/networks.ts";
import type { Paths } from "../store/paths.ts";
import { UserError } from "../user_error.ts";
import { BRIDGE_LINK, BRIDGE_NETWORK, ensureBridge, readBridgeState } from "./bridge.ts";
import { NetworkExecutor } from "./execute.ts";
import type { NetworkStep } from "./network_step.ts";
import { PTP_NETWORK } from "./ptp.ts";

/** How a verb tells what it does. */
export interface VerbOptions {
  readonly listener?: StepListener<NetworkStep>;
}

const SILENT: StepListener<NetworkStep> = () => "go";

/** Makes the bridge network, or corrects it; a second call changes nothing. Returns what the user should hear. */
export async function initNetwork(paths: Paths, { listener = SILENT }: VerbOptions = {}): Promise<readonly string[]> {
  using executor = new NetworkExecutor(listener);
  const { state, lock } = await ensureBridge(executor, paths);
  lock.close();
  return state.notices.bridge;
}

/** A network as `net ls` shows it. */
export interface NetworkSummary {
  readonly name: string;
  readonly driver: string;
  /** null where the network has none, or has not been made yet. */
  readonly subnet: string | null;
  readonly gateway: string | null;
  readonly containers: number;
}

/** The networks there are, whether made yet or not. */
export function listNetworks(paths: Paths): NetworkSummary[] {
  const containers = listContainers(paths);
  const made = (name: string): NetworkSummary => {
    const intent = readNetwork(paths, name);
    return {
      name,
      driver: name,
      subnet: intent?.subnet ?? null,
      gateway: intent?.gateway ?? null,
      containers: count(containers, name),
    };
  };
  const bare = (name: string): NetworkSummary => {
    return { name, driver: name, subnet: null, gateway: null, containers: count(containers, name) };
  };
  return [made(BRIDGE_NETWORK), bare("host"), bare("none"), made(PTP_NETWORK)];
}

function count(containers: readonly ContainerRecord[], network: string): number {
  return containers.filter(({ networkMode }) => networkMode === network).length;
}

/** A network in docker's JSON shape, with the containers on it. Throws a {@link UserError} for an unknown name. */
export function inspectNetwork(paths: Paths, name: string): Record<string, unknown> {
  if (![BRIDGE_NETWORK, PTP_NETWORK, "host", "none"].includes(name)) throw new UserError(`No such network: ${name}`);
  const intent = readNetwork(paths, name);
  const state = name === BRIDGE_NETWORK ? readBridgeState(paths) : undefined;
  return {
    Name: name,
    Driver: name === "none" ? "null" : name,
    Scope: "local",
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: { Driver: "default", Config: addressConfig(intent) },
    Internal: false,
    Attachable: false,
    Ingress: false,
    Containers: Object.fromEntries(
      listContainers(paths).filter(({ networkMode }) => networkMode === name).map((
        record,
      ) => [record.id, endpoint(record)]),
    ),
    Options: state
      ? { "com.docker.network.bridge.name": BRIDGE_LINK, "com.docker.network.driver.mtu": String(state.mtu) }
      : {},
    Labels: {},
  };
}

function addressConfig(intent: NetworkIntent | undefined) {
  return intent ? [{ Subnet: intent.subnet, Gateway: intent.gateway }] : [];
}

function endpoint({ name, attachment }: ContainerRecord) {
  return {
    Name: name,
    EndpointID: attachment?.hostLink ?? "",
    MacAddress: attachment?.mac ?? "",
    IPv4Address: attachment ? `${attachment.ip}/${attachment.prefix}` : "",
    IPv6Address: "",
  };
}

function orUndo<T>(executor: NetworkExecutor, action: () => T): T {
  try {
    return action();
  } catch (error) {
    executor.undo();
    throw error;
  }
}

/** Makes the kernel match the records, from whatever is there, without stopping a container. Idempotent. */
export async function resetNetwork(paths: Paths, { listener = SILENT }: VerbOptions = {}): Promise<void> {
  using _exclusive = takeLock(paths.networkLock, "exclusive");
  using executor = new NetworkExecutor(listener);
  const { reconcile } = await import("./reconcile.ts");
  const { removeLeftLinks, repairContainer } = await import("./repair.ts");
  const { mtu } = orUndo(executor, () => reconcile(executor, paths, { strict: true }));
  executor.keep();
  // In the order in which they were started: links made anew get the port numbers that they had.
  const started = ({ process }: ContainerRecord) => process?.startTime ?? 0;
  const containers = listContainers(paths).sort((a, b) => started(a) - started(b));
  const alive = new Set(containers.map(({ attachment }) => attachment?.hostLink ?? ""));
  removeLeftLinks(executor, alive);
  const failures: unknown[] = [];
  for (const record of containers) {
    try {
      repairContainer(executor, record, { mtu });
    } catch (error) {
      failures.push(new Error(`Cannot repair the network of container "${record.name}"`, { cause: error }));
    }
  }
  if (failures.length > 0) {
    throw failures.length === 1 ? failures[0] : new AggregateError(failures, "Some containers could not be repaired");
  }
}

const SIGKILL = 9;
/** How long killed containers may take to be cleared away by their supervisors, in milliseconds. */
const KILL_TIMEOUT = 10_000;

/** Removes everything of skdocker from the host. Refuses while containers run, unless they are to be killed. */
export async function purgeNetwork(
  paths: Paths,
  { force = false, listener = SILENT }: VerbOptions & { force?: boolean } = {},
) {
  if (force) killAll(paths);
  using _exclusive = takeLock(paths.networkLock, "exclusive");
  const running = listContainers(paths);
  if (running.length > 0) {
    const which = running.length === 1 ? `container "${running[0]?.name}" is` : `${running.length} containers are`;
    throw new UserError(`Cannot purge the network: ${which} running (use --force to kill)`);
  }
  using executor = new NetworkExecutor(listener);
  const { purgeHost } = await import("./purge.ts");
  purgeHost(executor, paths);
  removeCgroupParents();
}

/** Kills the first process of each container, and waits until its supervisor has cleared up behind it. */
function killAll(paths: Paths): void {
  const deadline = performance.now() + KILL_TIMEOUT;
  for (const record of listContainers(paths)) {
    using pidfd = record.process ? openProcess(record.process) : undefined;
    if (!pidfd) continue;
    signalPidfd(pidfd.fd, SIGKILL);
    awaitEnd(pidfd.fd, deadline - performance.now());
    // The supervisor holds the record's lock until it is done; taking it is waiting for it.
    awaitRelease(paths, record.id);
  }
  if (recordedIds(paths).length > 0 && performance.now() > deadline) {
    throw new UserError("Some containers did not end in time");
  }
}
