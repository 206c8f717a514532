/**
 * `run --dry-run`: every step of the start announced, none done. The plan is the start's own; only what the parent
 * would open (descriptors, detached mounts, an id) is imagined.
 */
import { addressOf, syscall } from "../../ffi/libc.ts";
import { plannedJoinPaths } from "../kernel/cgroup.ts";
import { boundingSet } from "../kernel/privileges.ts";
import { pathStatus } from "../kernel/files.ts";
import { resourceLimit } from "../kernel/process.ts";
import { resourceNumber } from "../kernel/resource_limits.ts";
import { announceAttach } from "../network/dry_run.ts";
import { BUSYBOX_DIRECTORIES, BUSYBOX_FILES, busyboxFacts } from "../rootfs/busybox.ts";
import { openDirectoryRoot } from "../rootfs/directory.ts";
import { INIT_PATH, underInit } from "../rootfs/init.ts";
import type { Paths } from "../store/paths.ts";
import { UserError } from "../user_error.ts";
import { deviceLimit } from "./device_limit.ts";
import { DEVICES } from "./device_plan.ts";
import { planContainer, type PlanInputs } from "./plan.ts";
import type { RunRequest } from "./request.ts";
import { type ContainerSpec, type SpecFacts, specFromRequest } from "./spec.ts";
import type { StartOptions } from "./start.ts";
import { checkStreams } from "./stdio.ts";
import { resolveUser, type UserDatabase } from "./user.ts";

/** The first of the descriptors that are imagined: above all that could be real. */
const IMAGINED = 1000;

/** Announces what a run would do. Throws for what it would refuse; returns 0. */
export async function dryRun(request: RunRequest, { paths, listeners: listen }: StartOptions): Promise<number> {
  checkStreams(request);
  const id = imaginedId();
  const name = request.name ?? id.slice(0, 12);
  const root = await lookAtRoot(request, paths);
  const listeners = listen({ id, name });
  announceAttach({ paths, id, name, options: request.network, listener: listeners.network });
  const asked = request.init ? { ...request, command: underInit(request.command) } : request;
  const spec = specFromRequest(asked, factsOf(asked, { paths, id, root }));
  const { steps } = planContainer(spec, inputsOf(request, { spec, root, id, name }));
  for (const step of steps) listeners.container(step);
  listeners.finish();
  return 0;
}

function imaginedId(): string {
  const bytes = new Uint8Array(32);
  syscall("getrandom", addressOf(bytes), bytes.length, 0);
  return bytes.toHex();
}

interface SeenRoot {
  readonly path: string;
  readonly database: UserDatabase;
}

async function lookAtRoot({ rootfs }: RunRequest, paths: Paths): Promise<SeenRoot> {
  if (rootfs.kind === "busybox") {
    const { path, passwd, group } = await busyboxFacts(paths);
    return { path, database: { passwd, group } };
  }
  using root = openDirectoryRoot(rootfs.path);
  return { path: rootfs.path, database: { passwd: root.readText("/etc/passwd"), group: root.readText("/etc/group") } };
}

function factsOf(request: RunRequest, { paths, id, root }: { paths: Paths; id: string; root: SeenRoot }): SpecFacts {
  const { mode } = request.network;
  const { hard } = resourceLimit(resourceNumber("nofile"));
  const shared = mode.kind === "container" ? mode.container : mode.kind === "ns" ? mode.path : "";
  const files = new Map([["/etc/hostname", paths.hostname(id)], ["/etc/hosts", paths.hosts(id)]]);
  if (request.network.dns !== "none") files.set("/etc/resolv.conf", paths.resolvConf(id));
  if (request.init) files.set(INIT_PATH, `${paths.rootfsDirectory}/tini`);
  return {
    rootPath: root.path,
    hostname: request.hostname ?? id.slice(0, 12),
    user: resolveUser(request.user, { database: root.database, groupAdd: request.groupAdd }),
    boundingSet: boundingSet(),
    openFilesLimit: Number.isFinite(hard) ? hard : null,
    network: mode.kind === "host" ? "host" : shared === "" ? "new" : { path: shared },
    files,
    cgroup: "unified",
  };
}

interface Imagined {
  readonly spec: ContainerSpec;
  readonly root: SeenRoot;
  readonly id: string;
  readonly name: string;
}

function inputsOf(request: RunRequest, { spec, root, id, name }: Imagined): PlanInputs {
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
  const { memory, cpus, pidsLimit: pids } = request;
  const devices = deviceLimit(request)?.devices;
  const limits = {
    ...(memory && { memory }),
    ...(cpus && { cpus }),
    ...(pids && { pids }),
    ...(devices && { devices }),
  };
  const layer = `${root.path.slice(0, root.path.lastIndexOf("/rootfs/"))}/containers/${id}`;
  return {
    root: request.rootfs.kind === "directory"
      ? { kind: "directory", path: root.path, tree: next++ }
      : { kind: "overlay", lower: root.path, upper: `${layer}/upper`, work: `${layer}/work`, memory: null },
    trees,
    existing: new Set([...BUSYBOX_DIRECTORIES, ...BUSYBOX_FILES, ...spec.mounts.map(({ destination }) => destination)]),
    fileTargets,
    boundingSet: boundingSet(),
    filter: spec.linux.seccomp === null ? null : new Uint8Array(8), // its bytes are not printed
    cgroups: plannedJoinPaths(id, { limits }).map((path) => ({ path, fd: next++ })),
    console: request.tty ? next++ : null,
    network: request.network.mode.kind === "host" ? null : { fd: next++, name: `/run/netns/${name}` },
    stdio: { descriptors: [next++, next++, next++], owned: [] },
    go: next++,
    parentOnly: [],
    workingDirectoryExists: true,
    beforeExec: [],
  };
}
