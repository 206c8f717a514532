/**
 * A container as an OCI runtime-spec config, in the part that is used here, and how a request becomes one.
 *
 * The plan is made from this alone. Source: opencontainers/runtime-spec, config.md and config-linux.md. Pure.
 */
import { type Capability, capabilityNames, type CapabilitySet } from "../kernel/capabilities.ts";
import type { ResourceName } from "../kernel/resource_limits.ts";
import { grantCapabilities } from "./capability_grant.ts";
import { environmentOf } from "./environment.ts";
import { MASKED_PATHS, READONLY_PATHS } from "./mask.ts";
import type { RunRequest } from "./request.ts";
import { mountsOf } from "./spec_mounts.ts";
import type { ContainerUser } from "./user.ts";

/** A mount, in the order in which it is made: destinations are absolute and normal (no `..`, no double slash). */
export interface SpecMount {
  readonly destination: string;
  /** A file system's name, or "bind". */
  readonly type: string;
  /** For a bind, an absolute path of the host. */
  readonly source: string;
  /** As `mount -o` takes them. */
  readonly options: readonly string[];
}

/** Kinds of namespaces under the names of the runtime-spec. */
export type NamespaceType = "pid" | "network" | "mount" | "ipc" | "uts" | "cgroup";

export interface SpecNamespace {
  readonly type: NamespaceType;
  /** An existing namespace to join. */
  readonly path?: string;
}

export interface SpecCapabilities {
  readonly bounding: readonly `CAP_${string}`[];
  readonly effective: readonly `CAP_${string}`[];
  readonly permitted: readonly `CAP_${string}`[];
}

export interface SpecRlimit {
  readonly type: `RLIMIT_${Uppercase<ResourceName>}`;
  /** -1 is RLIM_INFINITY. */
  readonly soft: number;
  readonly hard: number;
}

export interface SpecProcess {
  readonly terminal: boolean;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: SpecCapabilities;
  readonly rlimits: readonly SpecRlimit[];
  readonly noNewPrivileges: boolean;
}

export interface ContainerSpec {
  readonly ociVersion: "1.2.0";
  readonly process: SpecProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname: string;
  readonly mounts: readonly SpecMount[];
  readonly linux: {
    readonly namespaces: readonly SpecNamespace[];
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
    readonly sysctl: Readonly<Record<string, string>>;
    /** Nodes beside the few that every container has. */
    readonly devices: readonly SpecDevice[];
    readonly resources: {
      readonly memory?: { readonly limit: number };
      readonly cpu?: { readonly quota: number; readonly period: number };
      readonly pids?: { readonly limit: number };
    };
    /** "builtin" is the filter of src/kernel/seccomp.ts; a profile of the runtime-spec is not read yet. */
    readonly seccomp: "builtin" | null;
  };
}

/** A device node, by its absolute path. */
export interface SpecDevice {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  /** Permission bits. */
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What of the host a spec depends on. */
export interface SpecFacts {
  readonly rootPath: string;
  readonly hostname: string;
  readonly user: ContainerUser;
  readonly boundingSet: CapabilitySet;
  /** The hard limit of open files that this process has; null where it is not known. */
  readonly openFilesLimit: number | null;
  /** Where the network namespace comes from: a new one, the host's own, or one that exists. */
  readonly network: "new" | "host" | { readonly path: string };
  /** Files made for the container, by their path in it: /etc/hosts and the like. */
  readonly files: ReadonlyMap<string, string>;
  readonly cgroup: CgroupView;
  /** The host's device nodes, where a container is to have them all. */
  readonly devices?: readonly SpecDevice[];
}

/** What a container sees of its control group: version 2; hierarchies of version 1 by controller; nothing. */
export type CgroupView = "unified" | { readonly controllers: readonly string[] } | "none";

/** The config for a request. Throws a {@link UserError} for a mount that cannot be. */
export function specFromRequest(request: RunRequest, facts: SpecFacts): ContainerSpec {
  const { privileged } = request;
  return {
    ociVersion: "1.2.0",
    process: processOf(request, facts),
    root: { path: facts.rootPath, readonly: request.readOnly },
    hostname: facts.hostname,
    mounts: mountsOf(request, facts),
    linux: {
      namespaces: namespacesOf(facts),
      maskedPaths: privileged ? [] : MASKED_PATHS,
      readonlyPaths: privileged ? [] : READONLY_PATHS,
      sysctl: sysctlsOf(request, facts),
      devices: facts.devices ?? [],
      resources: resourcesOf(request),
      seccomp: privileged ? null : "builtin",
    },
  };
}

function processOf(request: RunRequest, facts: SpecFacts): SpecProcess {
  const { uid, gid, additionalGids, home } = facts.user;
  const { hostname } = facts;
  const terminal = request.tty;
  return {
    terminal,
    user: { uid, gid, additionalGids },
    args: request.command,
    env: environmentOf({ asked: request.environment, hostname, terminal, home }),
    cwd: request.workdir ?? "/",
    capabilities: capabilitiesOf(request, facts),
    rlimits: rlimitsOf(request, facts),
    noNewPrivileges: request.noNewPrivileges,
  };
}

/** A user who is not root has them in the bounding set alone, which is what execve would leave of them anyway. */
function capabilitiesOf(request: RunRequest, { boundingSet, user }: SpecFacts): SpecCapabilities {
  const { granted } = grantCapabilities(request, boundingSet);
  const bounding = capabilityNames(granted).map((name) => `CAP_${name as Capability}` as const);
  const held = user.uid === 0 ? bounding : [];
  return { bounding, effective: held, permitted: held };
}

/** The soft limit of open files that programs expect; the engine has raised our own to the hard limit. */
const SOFT_OPEN_FILES = 1024;

function rlimitsOf({ ulimits }: RunRequest, { openFilesLimit }: SpecFacts): SpecRlimit[] {
  const limits = ulimits.map(({ name, soft, hard }): SpecRlimit => ({ type: rlimitType(name), soft, hard }));
  if (openFilesLimit !== null && !ulimits.some(({ name }) => name === "nofile")) {
    limits.push({ type: "RLIMIT_NOFILE", soft: Math.min(SOFT_OPEN_FILES, openFilesLimit), hard: openFilesLimit });
  }
  return limits;
}

function rlimitType(name: ResourceName): SpecRlimit["type"] {
  return `RLIMIT_${name.toUpperCase() as Uppercase<ResourceName>}`;
}

function namespacesOf({ network, cgroup }: SpecFacts): SpecNamespace[] {
  const namespaces: SpecNamespace[] = [{ type: "pid" }, { type: "mount" }, { type: "uts" }, { type: "ipc" }];
  if (cgroup !== "none") namespaces.push({ type: "cgroup" });
  if (network === "new") namespaces.push({ type: "network" });
  else if (network !== "host") namespaces.push({ type: "network", path: network.path });
  return namespaces;
}

/** In a namespace of its own a container may bind any port and send pings without a capability, as in docker. */
function sysctlsOf({ sysctls }: RunRequest, { network }: SpecFacts): Record<string, string> {
  const defaults = network === "new"
    ? { "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647" }
    : {};
  return { ...defaults, ...Object.fromEntries(sysctls) };
}

/** Microseconds: the kernel's default period. */
const CPU_PERIOD = 100_000;

function resourcesOf({ memory, cpus, pidsLimit }: RunRequest): ContainerSpec["linux"]["resources"] {
  return {
    ...(memory === null ? {} : { memory: { limit: memory } }),
    ...(cpus === null ? {} : { cpu: { quota: Math.round(cpus * CPU_PERIOD), period: CPU_PERIOD } }),
    ...(pidsLimit === null ? {} : { pids: { limit: pidsLimit } }),
  };
}
