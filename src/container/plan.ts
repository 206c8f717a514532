/**
 * From a container's spec to everything its first process does between clone and execve. Pure.
 *
 *   parent                          child (this plan)
 *   network namespace, files,
 *   detached mounts, descriptors
 *   clone ───────────────────────▶  session, control group, network namespace
 *                                   private mounts, root, pivot_root
 *                                   mounts, devices, sysctls, masks
 *                                   streams, limits, filter, user, capabilities
 *                                   closes all but the go and the status pipe
 *   record, network ready ── go ─▶  execve
 *
 * Whatever can fail for the container's fault (its files, its command) happens behind pivot_root, where no path
 * leads to the host. The plan is printed by `--explain` and assembled by {@link childProgram}: one source for both.
 */
import type { Item, SyscallProgram } from "../../ffi/program.ts";
import { CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS } from "../kernel/namespace_flags.ts";
import type { ContainerStep } from "./container_step.ts";
import { planConsole, planDeviceLinks, planDevices, planNodes } from "./device_plan.ts";
import {
  type CgroupFile,
  planCgroup,
  planHostname,
  planNetwork,
  planSession,
  planSysctls,
  renameTo,
} from "./identity_plan.ts";
import { planMasks, planReadonlyPaths } from "./mask_plan.ts";
import { type MountInputs, planMounts } from "./mount_plan.ts";
import { planPrivileges, type PrivilegeInputs } from "./privilege_plan.ts";
import { planPropagation, planReadonlyRoot, planRoot, type RootInputs } from "./root_plan.ts";
import type { ContainerSpec } from "./spec.ts";
import {
  GO_BUFFER,
  keepOnExec,
  planClosing,
  planEnter,
  planExec,
  planGo,
  planStdio,
  planWorkingDirectory,
  type StdioInputs,
} from "./start_plan.ts";

/** The namespaces that clone makes; network comes by descriptor, cgroup is unshared after joining. */
export const CHILD_NAMESPACES = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC;

/** All that the parent has found out and opened. Numbers of descriptors are the parent's, which the child inherits. */
export interface PlanInputs extends MountInputs, PrivilegeInputs {
  readonly root: RootInputs;
  /** Closed first thing: the writing end of the go pipe, locks: what must not live on in the child. */
  readonly parentOnly: readonly number[];
  /** The namespace to join and how it is called; null for the host's. */
  readonly network: { readonly fd: number; readonly name: string } | null;
  readonly cgroups: readonly CgroupFile[];
  readonly stdio: StdioInputs;
  /** The reading end of the go pipe. */
  readonly go: number;
  /** Whether the working directory is there already: as with mount points, the parent makes it in a directory. */
  readonly workingDirectoryExists: boolean;
  /** What must happen just before execve: signal dispositions and mask. */
  readonly beforeExec: readonly Item[];
}

/** What the child does, in order. */
export interface ContainerPlan {
  readonly steps: readonly ContainerStep[];
  /** The one of the steps that closes descriptors; which pipes it spares is known only when the child is cloned. */
  readonly closing: ContainerStep;
  /** The last of the steps: those that meet files which nobody has looked at. */
  readonly last: readonly ContainerStep[];
  readonly go: number;
}

/** The plan of a container. Throws a {@link UserError} for what cannot be. */
export function planContainer(spec: ContainerSpec, inputs: PlanInputs): ContainerPlan {
  const { go } = inputs;
  const closing = planClosing([go]);
  const rights = planRights(spec, inputs, closing);
  const last = planLast(spec, inputs);
  return { go, closing, last, steps: [...planSetting(spec, inputs), ...planFiles(spec, inputs), ...rights, ...last] };
}

/** Where the process lives. */
function planSetting({ linux }: ContainerSpec, inputs: PlanInputs): ContainerStep[] {
  const namespace = linux.namespaces.some(({ type }) => type === "cgroup");
  return [
    ...planSession(inputs.parentOnly),
    ...planCgroup(inputs.cgroups, { namespace }),
    ...(inputs.network ? [planNetwork(inputs.network.fd, inputs.network.name)] : []),
  ];
}

/** What it sees of files. */
function planFiles(spec: ContainerSpec, inputs: PlanInputs): ContainerStep[] {
  const { linux, mounts, root, process } = spec;
  const nodev = mounts.some(({ destination, options }) => destination === "/dev" && options.includes("nodev"));
  const nullDevice = inputs.trees.get("/dev/null");
  if (nullDevice === undefined) throw new Error("no mount was opened for /dev/null");
  // All of them are taken by one kernel.
  const kernel = { changesMounts: !inputs.late.has("/dev/null") };
  const devpts = inputs.trees.get("/dev/pts"); // opened by the parent where there is a terminal
  if (mounts[0]?.destination !== "/proc") throw new Error("the first mount is not /proc");
  const inDev = mounts.findLastIndex(({ destination }) => destination === "/dev/mqueue") + 1;
  return [
    named("skdocker:root", [planPropagation(), ...planRoot(inputs.root, { nodev })]),
    named("skdocker:mounts", [
      ...planMounts(mounts.slice(0, 1), inputs),
      // While nothing lies in /proc but what the kernel has put there: a mount that was asked for can lead there by a link
      // of the root file system, and then files of its own, links among them, would be written (CVE-2025-52881).
      ...planSysctls(linux.sysctl),
      ...planMounts(mounts.slice(1, inDev), inputs),
      // Before what was asked for, which may lie in /dev and then goes on top.
      ...planDevices(inputs),
      ...(devpts === undefined ? [] : [planConsole(devpts)]),
      planDeviceLinks(),
      ...planNodes(linux.devices),
      ...planMounts(mounts.slice(inDev), inputs),
      ...(process.cwd === "/" || inputs.workingDirectoryExists ? [] : [planWorkingDirectory(process.cwd)]),
      planHostname(spec.hostname),
      ...planMasks(linux.maskedPaths, nullDevice),
      ...planReadonlyPaths(linux.readonlyPaths, kernel),
      ...(root.readonly ? [planReadonlyRoot(inputs.root, { nodev, kernel })] : []),
    ]),
  ].flat();
}

/** What it is and may do. */
function planRights({ process }: ContainerSpec, inputs: PlanInputs, closing: ContainerStep): ContainerStep[] {
  return named("skdocker:rights", [...planStdio(inputs.stdio, process), closing, ...planPrivileges(process, inputs)]);
}

/** How it becomes the command. */
function planLast({ process }: ContainerSpec, inputs: PlanInputs): ContainerStep[] {
  return named("skdocker:ready", [planEnter(process.cwd), planGo(inputs.go), planExec(process, inputs.beforeExec)]);
}

/** The first of these steps renames the process, too. */
function named(name: string, steps: readonly ContainerStep[]): ContainerStep[] {
  const [first, ...rest] = steps as [ContainerStep, ...ContainerStep[]];
  return [{ ...first, items: [renameTo(name), ...first.items] }, ...rest];
}

/** The mask of file modes while mount points are made: none; and the container's: docker's 022. */
const umask = (mask: number): Item => ({ call: "umask", args: [mask], operation: "set", subject: "the umask" });

/** What the program of a child depends on beside its plan. */
export interface ChildDescriptors {
  /** The pipe by which the parent learns of execve. */
  readonly status: number;
  /** The file that the child becomes for its last steps ({@link lastProgram}); without one it does them itself. */
  readonly last?: number | undefined;
}

/** The program of the child. */
export function childProgram(plan: ContainerPlan, { status, last }: ChildDescriptors): SyscallProgram {
  const items: Item[] = [umask(0)];
  const kept = last === undefined ? [plan.go, status] : [plan.go, status, last];
  const count = last === undefined ? plan.steps.length : plan.steps.length - plan.last.length;
  for (let index = 0; index < count; index++) {
    const step = plan.steps[index] as ContainerStep;
    if (step !== plan.closing) items.push(...step.items);
    else items.push(...planClosing(kept).items, umask(0o022));
  }
  if (last !== undefined) items.push(keepOnExec(plan.go, true));
  return { items, buffers: { [GO_BUFFER]: 8 } };
}

/** The last steps as a program of their own, for a child that executes what it has no reason to trust. */
export function lastProgram({ last, go }: ContainerPlan): SyscallProgram {
  return { items: [keepOnExec(go, false), ...last.flatMap(({ items }) => items)], buffers: { [GO_BUFFER]: 8 } };
}
