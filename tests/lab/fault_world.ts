/** Hosts on which commands are made to fail, and the command lines. */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Lab, type LabOptions, type LabProcess } from "../lab.ts";
import type { HostWatch } from "./fault_runs.ts";

/** A network mode as `--network` has it. */
export const MODES = ["bridge", "ptp", "none", "host", "container:other"] as const;
export type Mode = typeof MODES[number];

/** A host whose own name server is out of a container's reach, so that skdocker serves names. */
export const BUSY_HOST: LabOptions = { resolvConf: "nameserver 127.0.0.53\n" };

/** A host with a bridge, on which a container called "other" keeps asking the internet for a sign of life. */
export interface BusyHost extends Disposable {
  readonly lab: Lab;
  /** Whether the next command leaves the host as `watch` knows it: what is still different. */
  clearedBy(watch: HostWatch): Promise<string[]>;
  /** How many of the other container's packets have stayed without an answer. Ends it. */
  lostPings(): Promise<number>;
}

export async function busyHost(options: LabOptions): Promise<BusyHost> {
  const lab = Lab.create(options);
  makeRootfs(lab);
  const other = lab.start("run", "--rm", "--name", "other", "busybox", "ping", lab.internetAddress);
  await other.waitFor(/seq=0/);
  return {
    lab,
    clearedBy: async (watch) => {
      const { code, stderr } = lab.skdocker("net", "ls");
      return [
        ...(code === 0 && stderr === "" ? [] : [`net ls exited with ${code}: ${stderr}`]),
        ...await watch.changes(),
      ];
    },
    lostPings: () => lostPings(other),
    [Symbol.dispose]: () => lab[Symbol.dispose](),
  };
}

async function lostPings(other: LabProcess): Promise<number> {
  await other.kill("SIGINT");
  const { stdout } = await other.ended();
  const [, sent, received] = /(\d+) packets transmitted, (\d+) packets received/.exec(stdout) ?? [];
  if (sent === undefined) throw new Error(`ping did not say how it went: ${stdout}`);
  return Number(sent) - Number(received);
}

/** A root file system in which nothing is that a container needs to be mounted on. */
function makeRootfs(lab: Lab): void {
  mkdirSync(join(lab.rootfs, "bin"), { recursive: true });
  cpSync("/bin/busybox", join(lab.rootfs, "bin/busybox"));
  symlinkSync("busybox", join(lab.rootfs, "bin/true"));
  mkdirSync(join(lab.directory, "data"), { recursive: true });
  mkdirSync(join(lab.directory, "volume"));
  writeFileSync(join(lab.directory, "volume/file"), "of the host\n");
}

/** The shortest way to a container. */
export function plain(_world: { lab: Lab }, mode: Mode): string[] {
  return ["run", "--rm", "--network", mode, "busybox", "true"];
}

/** A container that has something of everything, in a directory of the host. */
export function everything({ lab }: { lab: Lab }, mode: Mode): string[] {
  const own = mode.startsWith("container:") ? [] : ["-h", "box", "--add-host", "here:10.0.24.5"];
  return [
    ...["run", "--rm", "-i", "-t", "--name", "full", "--network", mode, ...own, "-e", "A=b", "-l", "a=b"],
    ...["-v", `${join(lab.directory, "volume")}:/mnt/data:ro`, "--tmpfs", "/scratch", "--shm-size", "1m"],
    ...["-m", "64m", "--cpus", "0.5", "--pids-limit", "50", "--ulimit", "nofile=100"],
    ...["--sysctl", "kernel.shm_rmid_forced=1", "-w", "/made/here", "-u", "1000:1000", "--cap-add", "NET_ADMIN"],
    ...["--security-opt", "no-new-privileges", "--init", lab.rootfs, "/bin/true"],
  ];
}
