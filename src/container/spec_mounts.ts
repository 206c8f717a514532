/**
 * A container's mounts: those every container has, the files made for it, and what was asked for. Pure.
 *
 * Every one is nodev but devpts, whose nodes are terminals of its own, and with --privileged. The device nodes in
 * /dev are no mounts of the spec: the runtime-spec has them supplied by the runtime.
 */
import { UserError } from "../user_error.ts";
import type { MountRequest, RunRequest } from "./request.ts";
import type { CgroupView, SpecFacts, SpecMount } from "./spec.ts";

/** Bytes of /dev/shm unless asked otherwise: docker's 64 MiB. */
const SHM_SIZE = 64 * 1024 * 1024;

/** Nothing may be mounted there or (for those with a slash at the end) below: the container's isolation stands on it. */
const OURS = ["/proc", "/proc/", "/dev", "/dev/pts", "/dev/pts/", "/sys"];

/** All mounts, outer ones first. Throws a {@link UserError} for a target where nothing may be mounted. */
export function mountsOf(request: RunRequest, facts: SpecFacts): SpecMount[] {
  const asked = request.mounts.map(askedMount);
  for (const { destination } of asked) checkDestination(destination);
  const targets = new Set(asked.map(({ destination }) => destination));
  const ours = [...systemMounts(request, facts), ...fileMounts(request, facts)].filter(({ destination }) =>
    !targets.has(destination)
  );
  // Stable: among equals the order asked for. /proc, /dev and /sys come first as the shallowest of ours.
  const outerFirst = asked.toSorted((a, b) => depth(a.destination) - depth(b.destination));
  const outer = (mount: SpecMount) =>
    outerFirst.some(({ destination }) => mount.destination.startsWith(`${destination}/`));
  // A file of ours below a mount that was asked for (-v /somewhere:/etc) goes on top of it, or it would be covered.
  return [...ours.filter((mount) => !outer(mount)), ...outerFirst, ...ours.filter(outer)];
}

function depth(path: string): number {
  return path.split("/").length;
}

function checkDestination(destination: string): void {
  const taken = OURS.some((path) => path.endsWith("/") ? destination.startsWith(path) : destination === path);
  if (taken) throw new UserError(`Nothing can be mounted on "${destination}": every container has its own`);
}

function systemMounts({ privileged, shmSize }: RunRequest, { cgroup }: SpecFacts): SpecMount[] {
  const nodev = privileged ? [] : ["nodev"];
  const readOnly = privileged ? [] : ["ro"];
  const system = (destination: string, type: string, options: readonly string[]): SpecMount => {
    return { destination, type, source: type, options };
  };
  return [
    system("/proc", "proc", ["nosuid", "nodev", "noexec"]),
    system("/dev", "tmpfs", ["nosuid", ...nodev, "mode=755", "size=64k"]),
    system("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    system("/dev/shm", "tmpfs", ["nosuid", "nodev", "noexec", "mode=1777", `size=${shmSize ?? SHM_SIZE}`]),
    system("/dev/mqueue", "mqueue", ["nosuid", "nodev", "noexec"]),
    system("/sys", "sysfs", ["nosuid", "nodev", "noexec", ...readOnly]),
    ...cgroupMounts(cgroup, readOnly),
  ];
}

/** The container's own group, as its cgroup namespace shows it. Version 1 needs a directory for each hierarchy. */
function cgroupMounts(cgroup: CgroupView, readOnly: readonly string[]): SpecMount[] {
  const options = ["nosuid", "nodev", "noexec", ...readOnly];
  if (cgroup === "none") return [];
  if (cgroup === "unified") return [{ destination: "/sys/fs/cgroup", type: "cgroup2", source: "cgroup", options }];
  if (cgroup.controllers.length === 0) return [];
  const directories = ["nosuid", "nodev", "noexec", "mode=755", "size=64k"];
  return [
    { destination: "/sys/fs/cgroup", type: "tmpfs", source: "tmpfs", options: directories },
    ...cgroup.controllers.map((name): SpecMount => ({
      destination: `/sys/fs/cgroup/${name}`,
      type: "cgroup",
      source: "cgroup",
      options: [...options, name],
    })),
  ];
}

/**
 * The files made for a container, bound over its own. Those in /etc are this container's alone, and as writable as its
 * root, as in docker. Any other (the init) is shared with every container that comes: who could write it, or take
 * its mode away, would have them all.
 */
function fileMounts(
  { readOnly }: Pick<RunRequest, "readOnly">,
  { files }: Pick<SpecFacts, "files">,
): SpecMount[] {
  return Array.from(files, ([destination, source]) => {
    const own = destination.startsWith("/etc/");
    const options = ["bind", "private", "nodev", ...(readOnly || !own ? ["ro"] : [])];
    return { destination, type: "bind", source, options };
  });
}

function askedMount(mount: MountRequest): SpecMount {
  const readOnly = mount.readOnly ? ["ro"] : [];
  if (mount.kind === "bind") {
    const options = [...(mount.recursive ? ["rbind", "rprivate"] : ["bind", "private"]), "nodev", ...readOnly];
    return { destination: mount.target, type: "bind", source: mount.source, options };
  }
  const options = [...(mount.setUid ? [] : ["nosuid"]), "nodev", ...(mount.executable ? [] : ["noexec"]), ...readOnly];
  options.push(`mode=${(mount.mode ?? 0o1777).toString(8)}`);
  if (mount.size !== null) options.push(`size=${mount.size}`);
  if (mount.inodes !== null) options.push(`nr_inodes=${mount.inodes}`);
  if (mount.uid !== null) options.push(`uid=${mount.uid}`);
  if (mount.gid !== null) options.push(`gid=${mount.gid}`);
  return { destination: mount.target, type: "tmpfs", source: "tmpfs", options };
}
