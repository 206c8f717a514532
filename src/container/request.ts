/**
 * What was asked of a run: every word validated by itself, nothing looked up on the host.
 *
 * Whether a directory exists, an address is free or a user is known is found out by those who use it.
 */
import type { Capability } from "../kernel/capabilities.ts";
import type { ResourceName } from "../kernel/resource_limits.ts";
import type { NetworkOptions } from "../network/options.ts";
import { UserError } from "../user_error.ts";

/** Where the container's root file system comes from. */
export type RootfsRequest =
  /** The busybox inside the binary. */
  | { readonly kind: "busybox" }
  /** A directory of the host, used in place: an absolute path without a trailing slash. */
  | { readonly kind: "directory"; readonly path: string };

/** A bind of the host's `source` (absolute), or a tmpfs, at `target` (absolute, never `/`). */
export type MountRequest =
  | {
    readonly kind: "bind";
    readonly source: string;
    readonly target: string;
    /** With `recursive`, what is mounted below it as well. */
    readonly readOnly: boolean;
    /** With what is mounted below it. */
    readonly recursive: boolean;
  }
  | {
    readonly kind: "tmpfs";
    readonly target: string;
    readonly readOnly: boolean;
    /** Programs may be executed from it; off unless asked for. */
    readonly executable: boolean;
    /** Set-uid programs have their owner's rights; off unless asked for. */
    readonly setUid: boolean;
    /** Bytes or a part of the memory, 0 for no limit; null leaves the kernel's default, half of the memory. */
    readonly size: number | `${number}%` | null;
    /** The most files it may have, 0 for no limit; null leaves the kernel's default. */
    readonly inodes: number | null;
    /** Permission bits with the sticky bit, 0 to 0o7777; null means 0o1777. */
    readonly mode: number | null;
    readonly uid: number | null;
    readonly gid: number | null;
  };

/** A user as written: names are looked up in the container's own passwd and group. */
export interface UserRequest {
  /** A name or a decimal number. */
  readonly user: string;
  /** A name or a decimal number; null means the user's own group. */
  readonly group: string | null;
}

/** The limits that `--ulimit` knows: all but the address space, which no container could start in. */
export type UlimitName = Exclude<ResourceName, "as">;

/** `soft` ≤ `hard`, in the limit's own unit; -1 is unlimited (RLIM_INFINITY). */
export interface UlimitRequest {
  readonly name: UlimitName;
  readonly soft: number;
  readonly hard: number;
}

/** `NET_ADMIN` and the like, or `ALL`. */
export type CapabilityWord = Capability | "ALL";

/** `"yes"`: print the steps while doing them; `"dry-run"`: print them only. */
export type Explanation = "no" | "yes" | "dry-run";

export interface RunRequest {
  readonly rootfs: RootfsRequest;
  /** The program and its arguments, the entry point first; never empty. */
  readonly command: readonly string[];
  /** null: one is made up. */
  readonly name: string | null;
  /** Whether `--rm` was said; in this version every container is removed when it ends. */
  readonly autoRemove: boolean;
  readonly interactive: boolean;
  readonly tty: boolean;
  /** What was asked for, on top of the defaults (PATH, HOME, HOSTNAME, TERM), of which null takes one away; keys are never empty. */
  readonly environment: ReadonlyMap<string, string | null>;
  /** Absolute path in the container; null means `/`. */
  readonly workdir: string | null;
  readonly user: UserRequest | null;
  /** Names or decimal numbers. */
  readonly groupAdd: readonly string[];
  readonly hostname: string | null;
  readonly readOnly: boolean;
  /** In the order asked for; no target twice. */
  readonly mounts: readonly MountRequest[];
  readonly labels: ReadonlyMap<string, string>;
  readonly capAdd: readonly CapabilityWord[];
  readonly capDrop: readonly CapabilityWord[];
  readonly privileged: boolean;
  readonly noNewPrivileges: boolean;
  /** Whether a small init is the container's first process. */
  readonly init: boolean;
  readonly ulimits: readonly UlimitRequest[];
  /** Names with dots (`net.ipv4.ip_forward`), all of them namespaced. */
  readonly sysctls: ReadonlyMap<string, string>;
  /** Bytes of /dev/shm; null means 64 MiB. */
  readonly shmSize: number | null;
  /** Bytes, at least 6 MiB; null means no limit. */
  readonly memory: number | null;
  /** Number of CPUs, at least 0.01; null means no limit. */
  readonly cpus: number | null;
  /** At least 1; null means no limit. */
  readonly pidsLimit: number | null;
  readonly network: NetworkOptions;
  readonly explain: Explanation;
  /** Print link and address as the lecture's program does. */
  readonly lectureVerbose: boolean;
}

/** What a run is where nothing is asked but a command. */
export const PLAIN_REQUEST: Omit<RunRequest, "command"> = {
  rootfs: { kind: "busybox" },
  name: null,
  autoRemove: false,
  interactive: false,
  tty: false,
  environment: new Map(),
  workdir: null,
  user: null,
  groupAdd: [],
  hostname: null,
  readOnly: false,
  mounts: [],
  labels: new Map(),
  capAdd: [],
  capDrop: [],
  privileged: false,
  noNewPrivileges: false,
  init: false,
  ulimits: [],
  sysctls: new Map(),
  shmSize: null,
  memory: null,
  cpus: null,
  pidsLimit: null,
  network: { mode: { kind: "bridge" }, ip: null, mac: null, dns: [], dnsSearch: [], dnsOptions: [], addHosts: [] },
  explain: "no",
  lectureVerbose: false,
};

/** Refuses a request whose parts contradict each other. Throws a {@link UserError} that names both. */
export function checkRequest(request: RunRequest): void {
  checkMounts(request.mounts);
  checkNetwork(request);
}

function checkMounts(mounts: readonly MountRequest[]): void {
  const targets = new Set<string>();
  for (const { target } of mounts) {
    if (targets.has(target)) throw new UserError(`"${target}" is the target of two mounts`);
    targets.add(target);
  }
}

function checkNetwork({ network, hostname, sysctls }: RunRequest): void {
  const { kind } = network.mode;
  const conflict = (what: string) => new UserError(`${what} cannot be used with --network ${kind}`);
  if (kind === "bridge" || kind === "ptp") return;
  // In these modes skdocker makes no link that could have an address.
  if (network.ip !== null) throw conflict("--ip");
  if (network.mac !== null) throw conflict("--mac-address");
  if (kind === "none") return;
  // The namespace is somebody else's: a setting of it would change his.
  for (const name of sysctls.keys()) {
    if (name.startsWith("net.")) throw conflict(`--sysctl ${name}`);
  }
  if (kind !== "container") return;
  // As in docker, host name and name resolution come from the container that owns the namespace.
  if (hostname !== null) throw conflict("--hostname");
  if (network.dns === "none" || network.dns.length > 0) throw conflict("--dns");
  if (network.dnsSearch.length > 0) throw conflict("--dns-search");
  if (network.dnsOptions.length > 0) throw conflict("--dns-option");
  if (network.addHosts.length > 0) throw conflict("--add-host");
}
