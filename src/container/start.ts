/**
 * A foreground container from request to exit code: the named steps of a start, each leaving its undo.
 *
 *   parent                                        child
 *   record, lease, namespace, links
 *   files, mounts, terminal, control group
 *   clone ─────────────────────────────────────▶  its plan (plan.ts)
 *   pid into the record, link settled ── go ───▶  execve
 *   status pipe's end of file ◀─────────────────
 *   supervise … exit
 *   everything undone, the record last
 *
 * Before the go, the death of this process is the child's; after it the record names the pid, and the next command
 * ends what is left. So nothing outlives us that nobody knows of.
 */
import type { Child } from "../../ffi/clone.ts";
import type { ProgramFailure } from "../../ffi/native.ts";
import type { SyscallProgram } from "../../ffi/program.ts";
import { addressOf, syscall } from "../../ffi/libc.ts";
import { isKernelError } from "../../ffi/errno.ts";
import { type Cgroup, createCgroup } from "../kernel/cgroup.ts";
import { Descriptor } from "../kernel/descriptor.ts";
import { openFile, pathStatus } from "../kernel/files.ts";
import { O_WRONLY } from "../kernel/open_flags.ts";
import { processStartTime } from "../kernel/pidfd.ts";
import { pipe } from "../kernel/pipes.ts";
import { type Exit, exitCode, resourceLimit } from "../kernel/process.ts";
import type { ContainerTerminal } from "../kernel/pty.ts";
import { resourceNumber } from "../kernel/resource_limits.ts";
import { attachContainer, type Attachment } from "../network/attach.ts";
import type { NetworkStep } from "../network/network_step.ts";
import type { StepListener } from "../steps.ts";
import { createRecord, type HeldRecord } from "../store/containers.ts";
import { directoryKey } from "../rootfs/mount_points.ts";
import type { Paths } from "../store/paths.ts";
import type { ContainerStep } from "./container_step.ts";
import { clearDead } from "./dead.ts";
import type { CgroupFile } from "./identity_plan.ts";
import type { DeviceLimit } from "./device_limit.ts";
import { makeNameFiles, type NameFiles } from "./name_files.ts";
import type { PreparedChild } from "./child.ts";
import { isPlain, plainChild, plainFiles } from "./plain_child.ts";
import { openRootfs, prepareFiles } from "./prepare_files.ts";
import type { RunRequest } from "./request.ts";
import { checkStreams, type ContainerStdio, handedStdio } from "./stdio.ts";
import { catchForwardedSignals, type Service, supervise, type Supervised } from "./supervise.ts";
import { UndoStack } from "../undo.ts";

/** Who hears of the steps of a start. */
export interface StartListeners {
  readonly network: StepListener<NetworkStep>;
  readonly container: StepListener<ContainerStep>;
  /** The child's program as it is to be run: in test builds one of its calls may have been made to fail. */
  readonly program?: (program: SyscallProgram) => SyscallProgram;
  /** Whether anybody hears of the container's steps: else they need not even be planned. */
  readonly heard: boolean;
  /** After the last step of a start that succeeded. */
  finish(): void;
}

/** Who is told of a start, and how. */
export interface StartOptions {
  readonly paths: Paths;
  /** Asked once the container has an id. */
  listeners(container: { readonly id: string; readonly name: string }): StartListeners;
  /** One sentence for the user, while the container starts. */
  notify(sentence: string): void;
}

/** Runs a container in the foreground and returns its exit code. Throws, after undoing everything, where it cannot start. */
export async function runContainer(request: RunRequest, options: StartOptions): Promise<number> {
  const { paths } = options;
  checkStreams(request);
  if (!pathStatus(paths.containers)) await checkFirst(request, options);
  const signals = await catchForwardedSignals(); // to the end: what comes after it belongs to no container
  using undo = new UndoStack();
  await clearDead(paths); // before anything new is claimed
  const record = claimRecord(request, paths);
  undo.use(record);
  undo.defer(() => record.remove());
  const listeners = options.listeners(record.record);
  const attachment = await attachContainer({ paths, record, options: request.network, listener: listeners.network });
  undo.defer(() => attachment.release());
  const prepared = await prepareContainer(request, { ...options, listeners, record, attachment, undo });
  const container = await startChild({ listeners, record, attachment, ...prepared });
  undo.use(container.pidfd);
  listeners.finish();
  for (const notice of attachment.notices) options.notify(notice);
  if (request.lectureVerbose) describeLink(attachment, options);
  const { stdio, services } = prepared;
  return exitCode(superviseToTheEnd({ pidfd: container.pidfd.fd, stdio, signals, services }));
}

/** A supervisor that fails takes the container with it, before the files that this stands on are removed. */
function superviseToTheEnd(supervised: Supervised): Exit {
  try {
    return supervise(supervised);
  } catch (error) {
    reap(supervised.pidfd);
    throw error;
  }
}

async function checkFirst(request: RunRequest, options: StartOptions): Promise<void> {
  const { checkFirstStart } = await import("./dry_run.ts");
  await checkFirstStart(request, options);
}

function claimRecord(request: RunRequest, paths: Paths): HeldRecord {
  const id = newId();
  return createRecord(paths, {
    id,
    name: request.name ?? id.slice(0, 12),
    created: Date.now() / 1000,
    command: request.command,
    rootfs: request.rootfs.kind === "directory" ? request.rootfs.path : "busybox",
    labels: request.labels.size === 0 ? {} : Object.fromEntries(request.labels),
    networkMode: request.network.mode.kind,
    process: null,
    attachment: null,
    ownNetworkParameters: hasNetworkParameters(request),
    directory: null,
  });
}

function hasNetworkParameters({ sysctls }: RunRequest): boolean {
  for (const name of sysctls.keys()) if (name.startsWith("net.")) return true;
  return false;
}

/** 32 random bytes in hexadecimal, as docker's ids. */
function newId(): string {
  const bytes = new Uint8Array(32);
  syscall("getrandom", addressOf(bytes), bytes.length, 0);
  return bytes.toHex();
}

/** What is ready before the child exists. */
interface PreparedContainer extends PreparedChild {
  readonly stdio: ContainerStdio;
  readonly services: readonly Service[];
  /** Descriptors that only the child needs. */
  readonly forChild: UndoStack;
}

interface PrepareContext extends Omit<StartOptions, "listeners"> {
  readonly listeners: StartListeners;
  readonly record: HeldRecord;
  readonly attachment: Attachment;
  readonly undo: UndoStack;
}

/** Root file system, control group, terminal, files; how to clone the child of it all. */
async function prepareContainer(request: RunRequest, context: PrepareContext): Promise<PreparedContainer> {
  const { paths, record, attachment, undo } = context;
  const { id } = record.record;
  const forChild = undo.use(new UndoStack());
  const rootfs = forChild.use(await openRootfs(request.rootfs, paths));
  if (rootfs.kind === "directory") record.update({ directory: directoryKey(rootfs.root) });
  const names = makeNameFiles(request, { paths, record: record.record, attachment: attachment.record });
  undo.defer(() => names.remove());
  const asked = request.init ? await addInit(request, names, paths) : { request, names };
  const devices = request.capAdd.length > 0 ? await deviceLimitOf(request) : null;
  const cgroup = makeCgroup(request, { id, undo, devices });
  // A write to cgroup.procs waits for an RCU grace period, 9 to 19 ms measured; to be born in a group does not.
  const birthplace = cgroup?.openUnified();
  if (birthplace) forChild.use(birthplace);
  const openFiles = openFilesLimit();
  const only = cgroup?.legacyJoinPaths.length === 0 ? birthplace?.fd : undefined;
  const plain = !context.listeners.heard && isPlain(request, { names, birthplace: only, openFiles });
  const facts = { rootfs, names: asked.names, cgroup, openFiles };
  const planned = plain ? undefined : await import("./planned_child.ts");
  const spec = planned?.specOf(asked.request, facts);
  const { terminal, devpts } = await makeTerminal(request, undo);
  const files = prepareFiles(spec ?? plainFiles(names), {
    rootfs,
    paths,
    id,
    terminal: terminal && { devpts, console: terminal.console },
  });
  undo.defer(() => files.remove());
  forChild.use(files);
  if (files.inMemory) context.notify("the data root lies on overlayfs, so what the container writes is kept in memory");
  const stdio = undo.use(await makeStdio(request, terminal));
  const services = names.forwarder
    ? [await names.forwarder(attachment, { undo, listener: context.listeners.network, record })]
    : [];
  const ready = {
    request,
    name: record.record.name,
    hostname: names.hostname,
    network: attachment.namespace,
    files,
    stdio,
    openFiles,
    birthplace,
  };
  let child = planned ? undefined : await plainChild(ready, undo);
  if (!child) {
    const { plannedChild, specOf } = planned ?? await import("./planned_child.ts");
    const cgroups = cgroup ? joinFiles(cgroup, forChild) : [];
    const { listeners } = context;
    child = await plannedChild({ ...ready, spec: spec ?? specOf(asked.request, facts), cgroups, listeners });
  }
  return { ...child, stdio, services, forChild };
}

/** The group of version 2 is printed like the others, but nothing is left to do for it. */
function joinFiles(cgroup: Cgroup, forChild: UndoStack): CgroupFile[] {
  const legacy = cgroup.legacyJoinPaths;
  return cgroup.joinPaths.map((path) => {
    return { path, fd: legacy.includes(path) ? forChild.use(openFile(path, { flags: O_WRONLY })).fd : null };
  });
}

/** `--init`: a small init is bound into the container, and has the command for its argument. */
async function addInit(request: RunRequest, names: NameFiles, paths: Paths) {
  const { INIT_PATH, initFile, underInit } = await import("../rootfs/init.ts");
  const files = new Map([...names.files, [INIT_PATH, await initFile(paths)]]);
  return { request: { ...request, command: underInit(request.command) }, names: { ...names, files } };
}

async function deviceLimitOf(request: RunRequest): Promise<DeviceLimit | null> {
  const { deviceLimit } = await import("./device_limit.ts");
  return deviceLimit(request);
}

interface CgroupContext {
  readonly id: string;
  readonly undo: UndoStack;
  readonly devices: DeviceLimit | null;
}

/** A host without a place for groups still runs containers; only a limit that cannot be kept is a reason not to. */
function makeCgroup(request: RunRequest, { id, undo, devices }: CgroupContext): Cgroup | null {
  const { memory, cpus, pidsLimit } = request;
  const limits = {
    ...(memory === null ? {} : { memory }),
    ...(cpus === null ? {} : { cpus }),
    ...(pidsLimit === null ? {} : { pids: pidsLimit }),
    ...(devices ? { devices: devices.devices } : {}),
  };
  try {
    const cgroup = createCgroup(id, { limits, ...(devices ? { limitDevices: devices.limitDevices } : {}) });
    undo.defer(() => cgroup.remove());
    return cgroup;
  } catch (error) {
    if (devices) throw devices.refusal(error);
    if (memory === null && cpus === null && pidsLimit === null && isKernelError(error)) return null;
    throw error;
  }
}

/** The hard limit of open files that this process has; null where there is none. */
function openFilesLimit(): number | null {
  const { hard } = resourceLimit(resourceNumber("nofile"));
  return Number.isFinite(hard) ? hard : null;
}

async function makeTerminal(
  request: RunRequest,
  undo: UndoStack,
): Promise<{ terminal: ContainerTerminal; devpts: Descriptor } | { terminal: null; devpts: null }> {
  if (!request.tty) return { terminal: null, devpts: null };
  const { newContainerTerminal, newDevpts } = await import("../kernel/pty.ts");
  const devpts = undo.use(newDevpts());
  return { terminal: undo.use(newContainerTerminal(devpts)), devpts };
}

async function makeStdio({ interactive }: RunRequest, terminal: ContainerTerminal | null): Promise<ContainerStdio> {
  if (!terminal) {
    const handed = handedStdio({ interactive });
    if (handed) return handed;
    const { PumpedStdio } = await import("./pumped_stdio.ts");
    return new PumpedStdio({ interactive });
  }
  const { TerminalStdio } = await import("./terminal_stdio.ts");
  return new TerminalStdio(terminal, { interactive });
}

interface StartContext extends PreparedContainer {
  readonly listeners: StartListeners;
  readonly record: HeldRecord;
  readonly attachment: Attachment;
}

/** Clones the child, records it, lets it go, and waits until it has become the command. */
async function startChild(context: StartContext): Promise<{ pidfd: Descriptor }> {
  const { record, attachment, stdio, forChild } = context;
  const go = pipe();
  using goWrite = go.write;
  using child = context.spawn(go.read.fd, [goWrite.fd, record.fd]);
  using failed = new UndoStack();
  const pidfd = failed.use(new Descriptor(child.pidfd));
  go.read.close();
  forChild.dispose();
  stdio.childStarted();
  // From here on the child is known: whoever finds this process dead finds it by its pid.
  failed.defer(() => reap(pidfd.fd));
  record.update({ process: { pid: child.pid, startTime: processStartTime(child.pid) ?? 0 } });
  attachment.settle();
  syscall("write", goWrite.fd, addressOf(GO), 1);
  const failure = child.awaitExec();
  if (failure) throw await explainFailure(failure, child, context);
  failed.move();
  return { pidfd };
}

async function explainFailure(failure: ProgramFailure, { outcome }: Child, { process, notes }: StartContext) {
  const { childError } = await import("./exec_failure.ts");
  const call = notes ? (await notes())[failure.index] ?? failure.call : failure.call;
  return childError({ ...failure, call }, { outcome, process });
}

const GO = new Uint8Array(1);
const SIGKILL = 9;

function reap(pidfd: number): void {
  syscall("pidfd_send_signal", pidfd, SIGKILL, 0, 0);
  syscall("waitid", 3, pidfd, 0, 4, 0); // P_PIDFD, WEXITED: a zombie would keep the namespaces
}

/** What the lecture's program prints. */
function describeLink({ record }: Attachment, { notify }: StartOptions): void {
  if (record) notify(`link ${record.hostLink}, address ${record.ip}/${record.prefix}, gateway ${record.gateway}`);
}
