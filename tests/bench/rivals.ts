/** Who runs against skdocker, and the labs they run in: each with the network its documents ask for. */
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Lab } from "../lab.ts";

/** Where scripts/bench puts what it compiles. */
export const TOOLS = join(import.meta.dir, "../../dist/bench");

/** One command that is timed. */
export interface Rival {
  readonly name: string;
  readonly lab: Lab;
  readonly argv: readonly string[];
}

export function isInstalled(program: string): boolean {
  return Bun.which(program) !== null;
}

/** A root file system with busybox, for those who don't carry their own. Returns its path. */
export function makeRootfs(lab: Lab): string {
  const root = join(lab.directory, "rootfs");
  for (const directory of ["bin", "proc", "sys", "dev", "etc", "tmp", "usr/bin", "usr/sbin", "sbin"]) {
    mkdirSync(join(root, directory), { recursive: true });
  }
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  for (const path of lab.output(["busybox", "--list-full"]).split("\n")) {
    if (path === "" || path === "bin/busybox") continue;
    mkdirSync(dirname(join(root, path)), { recursive: true });
    symlinkSync("/bin/busybox", join(root, path));
  }
  return root;
}

/** The lecture's bridge: what its program, and the floor, are plugged into. */
export function makeLectureBridge(lab: Lab): void {
  lab.shell(
    "ip link add br0 address 02:00:00:00:00:01 type bridge; ip address add 172.16.0.1/16 dev br0; ip link set br0 up",
  );
}

/** `runc run` with the namespaces of its own default, the network one left empty. */
export function runcRival(lab: Lab, root: string): Rival {
  const bundle = join(lab.directory, "bundle");
  mkdirSync(bundle, { recursive: true });
  lab.output(["runc", "spec", "--bundle", bundle]);
  const spec = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"));
  spec.process.terminal = false;
  spec.process.args = ["/bin/true"];
  spec.root = { path: root, readonly: true };
  // The machine's limit may be lower than the default, and only ever goes down.
  delete spec.process.rlimits;
  writeFileSync(join(bundle, "config.json"), JSON.stringify(spec));
  return { name: "runc, no network", lab, argv: ["runc", "run", "--bundle", bundle, "bench"] };
}

/** A dockerd of the bench's own in the lab, with a busybox image made from `root`. */
export async function dockerRivals(lab: Lab, root: string): Promise<Rival[]> {
  const socket = `unix://${lab.directory}/docker.sock`;
  const daemon = lab.spawn([
    ...["dockerd", "-H", socket, "--data-root", join(lab.directory, "docker"), "--exec-root", "/run/docker"],
    ...["--pidfile", "/run/docker.pid", "--storage-driver", "overlay2"],
  ]);
  await daemon.waitFor(/API listen on/, { timeout: 60_000 });
  const docker = ["docker", "-H", socket];
  lab.shell(`tar -C ${root} -c . | docker -H ${socket} import - busybox >/dev/null`);
  return [
    { name: "docker, bridge", lab, argv: [...docker, "run", "--rm", "busybox", "true"] },
    { name: "docker, none", lab, argv: [...docker, "run", "--rm", "--network", "none", "busybox", "true"] },
  ];
}

/** podman with storage of its own in the lab. */
export function podmanRivals(lab: Lab, root: string): Rival[] {
  const store = join(lab.directory, "podman");
  const podman = ["podman", "--root", store, "--runroot", "/run/podman", "--cgroup-manager", "cgroupfs"];
  lab.shell(`tar -C ${root} -c . | ${podman.join(" ")} import - busybox >/dev/null`);
  const run = [...podman, "run", "--rm", "--ulimit", "nofile=1024:20000", "--ulimit", "nproc=1000:1000"];
  return [
    { name: "podman, bridge", lab, argv: [...run, "busybox", "true"] },
    { name: "podman, none", lab, argv: [...run, "--network", "none", "busybox", "true"] },
  ];
}
