/**
 * `run --dry-run`: every step of the start announced, none done. The plan is the start's own; only what the parent
 * would open (descriptors, detached mounts, an id) is imagined.
 */
import { addressOf, syscall } from "../../ffi/libc.ts";
import { type Cgroup, plannedCgroup } from "../kernel/cgroup.ts";
import { boundingSet } from "../kernel/privileges.ts";
import { isKernelError } from "../../ffi/errno.ts";
import { pathStatus } from "../kernel/file_status.ts";
import { O_PATH } from "../kernel/open_flags.ts";
import { resourceLimit } from "../kernel/process.ts";
import { resourceNumber } from "../kernel/resource_limits.ts";
import { announceAttach, announceResolver } from "../network/dry_run.ts";
import { planHosts } from "../network/hosts_file.ts";
import { planResolvConf } from "../network/resolv_conf.ts";
import { BUSYBOX_DIRECTORIES, BUSYBOX_FILES, busyboxFacts } from "../rootfs/busybox.ts";
import { hostDevices } from "../rootfs/devices.ts";
import { openDirectoryRoot } from "../rootfs/directory.ts";
import { INIT_PATH, initPath, underInit } from "../rootfs/init.ts";
import { type AttachmentRecord, refuseTakenName } from "../store/containers.ts";
import type { Paths } from "../store/paths.ts";
import { UserError } from "../user_error.ts";
import { deviceLimit } from "./device_limit.ts";
import { DEVICES } from "./devices.ts";
import { executablePaths } from "./environment.ts";
import { commandNotFound } from "./exec_failure.ts";
import { namespacePath } from "./identity_plan.ts";
import { hostName, type NameFiles, namesOf, readIfThere } from "./name_files.ts";
import { planContainer, type PlanInputs } from "./plan.ts";
import type { RunRequest } from "./request.ts";
import { type ContainerSpec, type SpecFacts, specFromRequest } from "./spec.ts";
import type { StartOptions } from "./start_options.ts";
import { checkStreams } from "./stdio.ts";
import { resolveUser, type UserDatabase } from "./user.ts";

/** The first of the descriptors that are imagined: above all that could be real. */
const IMAGINED = 1000;

/** Announces what a run would do. Throws for what it would refuse; returns 0. */
export async function dryRun(request: RunRequest, { paths, listeners: listen }: StartOptions): Promise<number> {
  checkStreams(request);
  const id = imaginedId();
  const name = request.name ?? id.slice(0, 12);
  if (request.name !== null) refuseTakenName(paths, name);
  const root = await lookAtRoot(request, paths);
  const cgroup = lookAtCgroup(request, id);
  const init = request.init ? await initPath(paths) : null;
  const listeners = listen({ id, name });
  const attachment = announceAttach({ paths, id, name, options: request.network, listener: listeners.network });
  const { forwarder } = planResolvConf({ hostText: readIfThere("/etc/resolv.conf"), options: request.network });
  if (forwarder) announceResolver(listeners.network);
  const asked = request.init ? { ...request, command: underInit(request.command) } : request;
  const spec = specFromRequest(asked, factsOf(asked, { paths, id, root, init, cgroup }));
  const { steps } = planContainer(spec, inputsOf(request, { spec, root, id, name, cgroup }));
  checkHosts(request, { hostname: spec.hostname, attachment });
  lookForCommand(request, { env: spec.process.env, root });
  for (const step of steps) listeners.container(step);
  listeners.finish();
  return 0;
}

/**
 * Before the first start, which makes things that stay (the bridge, its rules, the built-in files): throws for all that
 * can be found wrong without touching anything.
 */
export async function checkFirstStart(request: RunRequest, options: StartOptions): Promise<void> {
  const go = () => "go" as const;
  const silent = { network: go, container: go, heard: false, finish: () => undefined };
  await dryRun(request, { ...options, listeners: () => silent });
}

function imaginedId(): string {
  const bytes = new Uint8Array(32);
  syscall("getrandom", addressOf(bytes), bytes.length, 0);
  return bytes.toHex();
}

function lookAtCgroup(request: RunRequest, id: string): Cgroup {
  const { memory, cpus, pidsLimit: pids } = request;
  const devices = deviceLimit(request)?.devices;
  return plannedCgroup(id, {
    limits: { ...(memory && { memory }), ...(cpus && { cpus }), ...(pids && { pids }), ...(devices && { devices }) },
  });
}

interface SeenRoot {
  readonly path: string;
  readonly database: UserDatabase;
  /** Whether there is something at an absolute path. */
  has(path: string): boolean;
}

async function lookAtRoot({ rootfs }: RunRequest, paths: Paths): Promise<SeenRoot> {
  if (rootfs.kind === "busybox") {
    const { path, passwd, group, has } = await busyboxFacts(paths);
    return { path, database: { passwd, group }, has };
  }
  const { path } = rootfs;
  using root = openDirectoryRoot(path);
  const has = (wanted: string) => {
    using again = openDirectoryRoot(path);
    try {
      again.open(wanted, O_PATH).close();
      return true;
    } catch (error) {
      // What is found but cannot be opened (ELOOP, ENAMETOOLONG) is the kernel's to refuse.
      return !isKernelError(error, "ENOENT", "ENOTDIR");
    }
  };
  return { path, database: { passwd: root.readText("/etc/passwd"), group: root.readText("/etc/group") }, has };
}

/** Refuses a command that is nowhere, unless what is mounted may bring it along, or an init is to look for it. */
function lookForCommand(
  { command, workdir, mounts, init }: RunRequest,
  at: { env: readonly string[]; root: SeenRoot },
): void {
  const [program = ""] = command;
  if (mounts.length > 0 || init) return;
  const paths = executablePaths(program, at.env);
  const mayBe = (path: string) => {
    // What the kernel or this program puts there is not looked for, nor what depends on a directory yet to be made.
    if (/^\/(proc|sys|dev|etc)\/|(^|\/)\.\.\//.test(path) || (workdir !== null && !path.startsWith("/"))) return true;
    return at.root.has(path.startsWith("/") ? path : `/${path}`);
  };
  if (paths.some(mayBe)) return;
  throw commandNotFound(program);
}

interface Seen {
  readonly paths: Paths;
  readonly id: string;
  readonly root: SeenRoot;
  /** The init's file; null without one. */
  readonly init: string | null;
  readonly cgroup: Cgroup;
}

function factsOf(request: RunRequest, { paths, id, root, init, cgroup }: Seen): SpecFacts {
  const { mode } = request.network;
  const { hard } = resourceLimit(resourceNumber("nofile"));
  const shared = mode.kind === "container" ? mode.container : mode.kind === "ns" ? mode.path : "";
  const names = mode.kind === "container" ? namesOf(paths, mode.container) : ownNames(request, { paths, id });
  const files = new Map(names.files);
  if (init !== null) files.set(INIT_PATH, init);
  return {
    rootPath: root.path,
    hostname: names.hostname,
    user: resolveUser(request.user, { database: root.database, groupAdd: request.groupAdd }),
    boundingSet: boundingSet(),
    openFilesLimit: Number.isFinite(hard) ? hard : null,
    network: mode.kind === "host" ? "host" : shared === "" ? "new" : { path: shared },
    files,
    cgroup: cgroup.legacyJoinPaths.length === 0 ? "unified" : { controllers: [] },
    ...(request.privileged ? { devices: hostDevices() } : {}),
  };
}

/** Throws a {@link UserError} for `host-gateway` on a network without one. */
function checkHosts(
  { network: { mode, addHosts } }: RunRequest,
  { hostname, attachment }: { hostname: string; attachment: AttachmentRecord | null },
): void {
  if (mode.kind === "container") return;
  const { ip: address = null, gateway = null } = attachment ?? {};
  planHosts({ hostname, address, gateway, addHosts, hostText: mode.kind === "host" ? "" : null });
}

/** As a start would have them, in the same order; nothing is written. */
function ownNames(
  { hostname, network: { mode, dns } }: RunRequest,
  { paths, id }: { paths: Paths; id: string },
): Pick<NameFiles, "hostname" | "files"> {
  const files = new Map<string, string>();
  if (dns !== "none") files.set("/etc/resolv.conf", paths.resolvConf(id));
  files.set("/etc/hostname", paths.hostname(id));
  files.set("/etc/hosts", paths.hosts(id));
  return { hostname: hostname ?? (mode.kind === "host" ? hostName() : id.slice(0, 12)), files };
}

interface Imagined {
  readonly spec: ContainerSpec;
  readonly root: SeenRoot;
  readonly id: string;
  readonly name: string;
  readonly cgroup: Cgroup;
}

function inputsOf(request: RunRequest, { spec, root, id, name, cgroup }: Imagined): PlanInputs {
  let next = IMAGINED;
  const trees = new Map<string, number>();
  const fileTargets = new Set<string>();
  for (const { destination, type, source } of spec.mounts) {
    if (type !== "bind") continue;
    trees.set(destination, next++);
    const status = pathStatus(source);
    if (!status && request.mounts.some((mount) => mount.kind === "bind" && mount.source === source)) {
      throw new UserError(`The mount's source "${source}" does not exist`);
    }
    if (status?.type !== "directory") fileTargets.add(destination);
  }
  for (const [device] of DEVICES) trees.set(`/dev/${device}`, next++);
  if (request.tty) trees.set("/dev/pts", next++);
  const { cwd } = spec.process;
  const layer = `${root.path.slice(0, root.path.lastIndexOf("/rootfs/"))}/containers/${id}`;
  return {
    root: request.rootfs.kind === "directory"
      ? { kind: "directory", path: root.path, tree: next++, late: undefined }
      : { kind: "overlay", lower: root.path, upper: `${layer}/upper`, work: `${layer}/work`, memory: null },
    trees,
    late: new Map(),
    existing: new Set([...BUSYBOX_DIRECTORIES, ...BUSYBOX_FILES, ...spec.mounts.map(({ destination }) => destination)]),
    fileTargets,
    boundingSet: boundingSet(),
    filter: spec.linux.seccomp === null ? null : new Uint8Array(8), // its bytes are not printed
    cgroups: cgroup.joinPaths.map((path) => ({ path, fd: next++ })),
    network: request.network.mode.kind === "host"
      ? null
      : { fd: next++, name: namespacePath(request.network.mode, name) },
    stdio: { descriptors: [next++, next++, next++], owned: [] },
    go: next++,
    parentOnly: [],
    workingDirectoryExists: request.rootfs.kind === "directory" &&
      !spec.mounts.some(({ destination }) => cwd.startsWith(`${destination}/`)),
    beforeExec: [],
  };
}
