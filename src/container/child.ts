/** How a container's child is cloned: by its own plan, or by the program that was assembled at build time. */
import { type Child, execTail, spawnChild } from "../../ffi/clone.ts";
import type { Executable } from "../../ffi/executable.ts";
import type { CallNote } from "../../ffi/image.ts";
import type { SyscallProgram } from "../../ffi/program.ts";
import { MACHINE } from "../../ffi/syscalls.ts";
import { type Capability, type CapabilitySet, capabilitySet } from "../kernel/capabilities.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { boundingSet } from "../kernel/privileges.ts";
import { seccompFilter } from "../kernel/seccomp.ts";
import { announce, type StepListener } from "../steps.ts";
import type { ContainerStep } from "./container_step.ts";
import { type CgroupFile, namespacePath } from "./identity_plan.ts";
import { fillPlain, plainEnvironment, plainNotes, spawnPlain } from "./plain_child.ts";
import { CHILD_NAMESPACES, childProgram, lastProgram, planContainer } from "./plan.ts";
import type { PreparedFiles } from "./prepare_files.ts";
import type { RunRequest } from "./request.ts";
import type { ContainerSpec, SpecProcess } from "./spec.ts";
import type { ContainerStdio } from "./stdio.ts";

/** All that a child is made of. */
export interface ReadyContainer {
  readonly request: RunRequest;
  /** What `--explain` calls it. */
  readonly name: string;
  readonly hostname: string;
  /** The namespace to join; null for the host's. */
  readonly network: Descriptor | null;
  readonly files: PreparedFiles;
  readonly stdio: ContainerStdio;
  /** The hard limit of open files; null where there is none. */
  readonly openFiles: number | null;
  /** Version 2's control group, for the child to be born in; undefined without one. */
  readonly birthplace: Descriptor | undefined;
}

/** A child that is about to be cloned. */
export interface PreparedChild {
  /** Clones it; it waits for its go on `go`. `parentOnly` is what must not live on in it. */
  readonly spawn: (go: number, parentOnly: readonly [number, number]) => Child;
  /** Of the command, for the error where it cannot be executed. */
  readonly process: Pick<SpecProcess, "args" | "env" | "cwd">;
  /** What the program's calls do, where that is kept apart. */
  readonly notes?: () => Promise<readonly CallNote[]>;
}

/** What only a child with a plan of its own is made of. */
export interface PlannedContainer extends ReadyContainer {
  readonly spec: ContainerSpec;
  readonly cgroups: readonly CgroupFile[];
  readonly listeners: {
    readonly container: StepListener<ContainerStep>;
    readonly program?: (program: SyscallProgram) => SyscallProgram;
  };
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
    for (const step of plan.steps) announce(listeners.container, step, { operation: "run", subject: step.command });
    return spawnChild({
      program: (status, last) => {
        const program = childProgram(plan, { status, last });
        return listeners.program?.(program) ?? program;
      },
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

/** A child whose program was assembled at build time; undefined where it does not fit after all. */
export async function plainChild(
  { request, hostname, network, files, stdio, openFiles, birthplace }: ReadyContainer,
  undo: DisposableStack,
): Promise<PreparedChild | undefined> {
  const { root, trees } = files.inputs;
  if (root.kind !== "overlay" || root.memory !== null || !network || !birthplace || openFiles === null) {
    return undefined;
  }
  const { plainChildImage } = await import("#programs");
  const environment = plainEnvironment(request, hostname);
  const program = fillPlain(plainChildImage, {
    command: request.command,
    environment,
    hostname,
    root,
    trees,
    network: network.fd,
    streams: stdio.child,
    cgroup: birthplace.fd,
    openFiles,
  });
  if (!program) return undefined;
  undo.use(program);
  return {
    spawn: (go, parentOnly) => spawnPlain(program, { go, parentOnly }),
    process: { args: request.command, env: environment, cwd: "/" },
    notes: plainNotes,
  };
}
