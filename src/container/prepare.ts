/** All that a container needs before its child is cloned, each with its undo. */
import { isKernelError } from "../../ffi/errno.ts";
import { type Cgroup, createCgroup } from "../kernel/cgroup.ts";
import { Descriptor } from "../kernel/descriptor.ts";
import { openFile } from "../kernel/files.ts";
import { O_WRONLY } from "../kernel/open_flags.ts";
import { resourceLimit } from "../kernel/process.ts";
import type { Pty } from "../kernel/pty.ts";
import { resourceNumber } from "../kernel/resource_limits.ts";
import { type Attachment } from "../network/attach.ts";
import { type HeldRecord } from "../store/containers.ts";
import { directoryKey } from "../rootfs/mount_points.ts";
import type { Paths } from "../store/paths.ts";
import type { CgroupFile } from "./identity_plan.ts";
import type { DeviceLimit } from "./device_limit.ts";
import { makeNameFiles, type NameFiles } from "./name_files.ts";
import type { PreparedChild } from "./child.ts";
import { isPlain, plainChild, plainFiles } from "./plain_child.ts";
import { openRootfs, prepareFiles } from "./prepare_files.ts";
import type { RunRequest } from "./request.ts";
import { type ContainerStdio, handedStdio } from "./stdio.ts";
import { type Service } from "./supervise.ts";
import { UndoStack } from "../undo.ts";
import type { StartListeners, StartOptions } from "./start_options.ts";

/** What is ready before the child exists. */
export interface PreparedContainer extends PreparedChild {
  readonly stdio: ContainerStdio;
  readonly services: readonly Service[];
  /** Descriptors that only the child needs. */
  readonly forChild: UndoStack;
}

/** What a container is prepared with. */
export interface PrepareContext extends Omit<StartOptions, "listeners"> {
  readonly listeners: StartListeners;
  readonly record: HeldRecord;
  readonly attachment: Attachment;
  readonly undo: UndoStack;
}

/** Root file system, control group, terminal, files; how to clone the child of it all. */
export async function prepareContainer(request: RunRequest, context: PrepareContext): Promise<PreparedContainer> {
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
  const { pty, devpts } = await makeTerminal(request, undo);
  const files = prepareFiles(spec ?? plainFiles(names), {
    rootfs,
    paths,
    id,
    devpts,
  });
  undo.defer(() => files.remove());
  forChild.use(files);
  if (files.inMemory) context.notify("the data root lies on overlayfs, so what the container writes is kept in memory");
  const stdio = undo.use(await makeStdio(request, pty));
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

/** What a host answers that lets no group be made: read-only, delegated to others, full, not mounted. */
const NO_PLACE = ["EACCES", "EPERM", "EROFS", "ENOENT", "ENODEV", "EOPNOTSUPP", "ENOSPC", "EAGAIN"] as const;

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
    if (memory === null && cpus === null && pidsLimit === null && isKernelError(error, ...NO_PLACE)) return null;
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
): Promise<{ pty: Pty; devpts: Descriptor } | { pty: null; devpts: null }> {
  if (!request.tty) return { pty: null, devpts: null };
  const { newDevpts, openPty } = await import("../kernel/pty.ts");
  const devpts = undo.use(newDevpts());
  return { pty: undo.use(openPty(devpts)), devpts };
}

async function makeStdio({ interactive }: RunRequest, pty: Pty | null): Promise<ContainerStdio> {
  if (!pty) {
    const handed = handedStdio({ interactive });
    if (handed) return handed;
    const { PumpedStdio } = await import("./pumped_stdio.ts");
    return new PumpedStdio({ interactive });
  }
  const { TerminalStdio } = await import("./terminal_stdio.ts");
  return new TerminalStdio(pty, { interactive });
}
