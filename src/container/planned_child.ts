/** A container's child by its own plan: what is not plain, and what `--explain` tells of. */
import { execTail, spawnChild } from "../../ffi/clone.ts";
import type { Executable } from "../../ffi/executable.ts";
import type { SyscallProgram } from "../../ffi/program.ts";
import { MACHINE } from "../../ffi/syscalls.ts";
import { type Capability, type CapabilitySet, capabilitySet } from "../kernel/capabilities.ts";
import type { Cgroup } from "../kernel/cgroup.ts";
import { boundingSet } from "../kernel/privileges.ts";
import { seccompFilter } from "../kernel/seccomp.ts";
import { announce, type StepListener } from "../steps.ts";
import type { PreparedChild, ReadyContainer } from "./child.ts";
import { type ContainerStep, describeContainerStep } from "./container_step.ts";
import { type CgroupFile, namespacePath } from "./identity_plan.ts";
import type { NameFiles } from "./name_files.ts";
import { CHILD_NAMESPACES, childProgram, lastProgram, planContainer } from "./plan.ts";
import { type Rootfs, userDatabase } from "./prepare_files.ts";
import type { RunRequest } from "./request.ts";
import { hostDevices } from "../rootfs/devices.ts";
import { type ContainerSpec, type SpecFacts, specFromRequest } from "./spec.ts";
import { resolveUser } from "./user.ts";

/** What of the host and of what was prepared a spec depends on. */
export interface PlannedFacts {
  readonly rootfs: Rootfs;
  readonly names: NameFiles;
  readonly cgroup: Cgroup | null;
  readonly openFiles: number | null;
}

/** The container's config. Throws a {@link UserError} for a user or a mount that cannot be. */
export function specOf(request: RunRequest, facts: PlannedFacts): ContainerSpec {
  return specFromRequest(request, factsOf(request, facts));
}

function factsOf(request: RunRequest, { rootfs, names, cgroup, openFiles }: PlannedFacts): SpecFacts {
  const { mode } = request.network;
  const shared = mode.kind === "container" ? mode.container : mode.kind === "ns" ? mode.path : "";
  return {
    rootPath: rootfs.path,
    hostname: names.hostname,
    user: resolveUser(request.user, { database: userDatabase(rootfs), groupAdd: request.groupAdd }),
    boundingSet: boundingSet(),
    openFilesLimit: openFiles,
    network: mode.kind === "host" ? "host" : shared === "" ? "new" : { path: shared },
    files: names.files,
    cgroup: cgroup === null || cgroup.joinPaths.length === 0
      ? "none" // joined to nothing, it would see the caller's own group, which may be the host's root
      : cgroup.legacyJoinPaths.length === 0
      ? "unified"
      : { controllers: [] },
    ...(request.privileged ? { devices: hostDevices() } : {}),
  };
}

/** What only a child with a plan of its own is made of. */
export interface PlannedContainer extends ReadyContainer {
  readonly spec: ContainerSpec;
  readonly cgroups: readonly CgroupFile[];
  readonly listeners: { readonly container: StepListener<ContainerStep> };
}

/** A child by its own plan. */
export async function plannedChild(ready: PlannedContainer): Promise<PreparedChild> {
  const { request, name, network, files, stdio, birthplace, spec, cgroups, listeners } = ready;
  const inputs = {
    ...files.inputs,
    boundingSet: boundingSet(),
    filter: spec.linux.seccomp === null ? null : seccompFilter({ machine: MACHINE, capabilities: granted(spec) }),
    cgroups,
    network: network && { fd: network.fd, name: namespacePath(request.network.mode, name) },
    stdio: { descriptors: stdio.child, owned: stdio.owned },
    beforeExec: execTail(),
  };
  const lastSteps = await makerOfLastSteps(request);
  const spawn = (go: number, parentOnly: readonly number[]) => {
    const plan = planContainer(spec, { ...inputs, go, parentOnly });
    for (const step of plan.steps) announce(listeners.container, step, describeContainerStep(step));
    return spawnChild({
      program: (status, last) => childProgram(plan, { status, last }),
      ...(lastSteps ? { last: (status) => lastSteps(lastProgram(plan), status) } : {}),
      flags: CHILD_NAMESPACES,
      shareMemory: true,
      ...(birthplace ? { cgroup: birthplace.fd } : {}),
    });
  };
  return { spawn, process: spec.process };
}

function granted(spec: ContainerSpec): CapabilitySet {
  return capabilitySet(spec.process.capabilities.bounding.map((name) => name.slice("CAP_".length) as Capability));
}

/**
 * Makes the file that the child becomes before it executes what somebody else has made; null where all is ours: the
 * busybox inside the program, without anything of the host's in it, executes nothing but itself.
 */
async function makerOfLastSteps(
  { rootfs, mounts }: RunRequest,
): Promise<((program: SyscallProgram, status: number) => Executable) | null> {
  if (rootfs.kind === "busybox" && mounts.every(({ kind }) => kind !== "bind")) return null;
  const { Executable } = await import("../../ffi/executable.ts");
  return (program, status) => new Executable(program, status);
}
