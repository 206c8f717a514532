/** The measurements, each in a lab. All times are ms. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { childrenOf } from "../lab/process.ts";
import { Lab, type LabProcess, type Snapshot, until } from "../lab.ts";
import { type Rival, TOOLS } from "./rivals.ts";

/** Says on stderr what is going on: the bench takes minutes. */
export function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

/** The wall time of one run; a run that fails ends the bench. */
function timeOnce(rival: Rival): number {
  const [nanoseconds = "", status] = rival.lab.output([join(TOOLS, "spawn_timer"), ...rival.argv]).split(" ");
  if (status !== "0") throw new Error(`${rival.name} exited with ${status}: ${rival.argv.join(" ")}`);
  return Number(nanoseconds) / 1e6;
}

/** Every rival once a round, each round beginning with another one; after each round nothing of ours may be left. */
export async function race(
  rivals: readonly Rival[],
  options: { rounds: number; ours: Lab },
): Promise<Map<string, number[]>> {
  const samples = new Map<string, number[]>(rivals.map((rival) => [rival.name, []]));
  // The first run of each makes what later runs find: the bridge, the unpacked busybox, warm caches.
  for (const rival of rivals) timeOnce(rival);
  const before = await options.ours.settled();
  for (let round = 0; round < options.rounds; round++) {
    for (let turn = 0; turn < rivals.length; turn++) {
      const rival = rivals[(round + turn) % rivals.length];
      if (rival !== undefined) samples.get(rival.name)?.push(timeOnce(rival));
    }
    await nothingLeft(options.ours, before);
    if ((round + 1) % 10 === 0) say(`round ${round + 1} of ${options.rounds}`);
  }
  return samples;
}

/** Processes, links, leases, mounts, elements, files: all as before the round. */
async function nothingLeft(lab: Lab, before: Snapshot): Promise<void> {
  await lab.unchanged(before, { timeout: 5000 });
}

/** `count` containers that wait for the end of one pipe, from one shell; `end()` ends them all. */
async function crowd(lab: Lab, count: number): Promise<{ end: () => Promise<void> }> {
  const before = await lab.settled();
  const loop =
    `i=0; while [ $i -lt ${count} ]; do ${lab.binary} run --rm -i busybox cat <&3 >/dev/null & i=$((i + 1)); done; wait`;
  const shell = lab.spawn(["sh", "-c", `exec 3<&0; ${loop}`], { stdin: "pipe" });
  await until(`${count} containers to run`, () => runningCats(lab) === count, { timeout: 120_000 });
  return {
    end: async () => {
      shell.closeStdin();
      await shell.ended({ timeout: 60_000 });
      await lab.unchanged(before, { timeout: 20_000 });
    },
  };
}

function runningCats(lab: Lab): number {
  return Number(lab.output(["sh", "-c", "grep -lx cat /proc/[0-9]*/comm 2>/dev/null | wc -l"]));
}

/** One start while none, then while `count - 1` others run, then while none again: [alone, beside the others]. */
export async function beside(lab: Lab, options: { count: number; samples: number }): Promise<[number[], number[]]> {
  const rival: Rival = { name: "run", lab, argv: [lab.binary, "run", "--rm", "busybox", "true"] };
  const take = () => Array.from({ length: options.samples }, () => timeOnce(rival));
  timeOnce(rival);
  const alone = take();
  const others = await crowd(lab, options.count - 1);
  const among = take();
  await others.end();
  return [[...alone, ...take()], among];
}

/** Wall time per container until the last veth is gone: [one alone, `count` from `parallel` callers]. */
export async function burst(
  lab: Lab,
  options: { count: number; parallel: number; rounds: number },
): Promise<[number[], number[]]> {
  const run = (count: number, parallel: number) => {
    const command = [lab.binary, "run", "--rm", "busybox", "true"];
    const printed = lab.output([join(TOOLS, "start_many"), String(count), String(parallel), "veth", ...command], {
      timeout: 180_000,
    });
    const [nanoseconds = "", failed = ""] = printed.trim().split(" ");
    if (failed !== "0") throw new Error(`${failed} of ${count} runs failed`);
    return Number(nanoseconds) / 1e6 / count;
  };
  const alone: number[] = [];
  const many: number[] = [];
  run(1, 1);
  const before = await lab.settled();
  for (let round = 0; round < options.rounds; round++) {
    alone.push(median5(() => run(1, 1)));
    many.push(run(options.count, options.parallel));
    await nothingLeft(lab, before);
  }
  return [alone, many];
}

/** One run alone is short: the median of five stands for it in its round. */
function median5(measure: () => number): number {
  return Array.from({ length: 5 }, measure).sort((a, b) => a - b)[2] ?? NaN;
}

export interface Memory {
  /** Private_Clean + Private_Dirty, in MB (10^6 bytes). */
  readonly privateMb: number;
  readonly pssMb: number;
}

/**
 * Memory of a foreground process while its container sleeps, five seconds after its start. A second one runs beside
 * it: the executable's clean pages, which both have mapped, then count as what they are, shared.
 */
export async function memory(lab: Lab): Promise<Memory> {
  const runs = [1, 2].map(() => lab.start("run", "--rm", "busybox", "sleep", "1000"));
  const pids = await Promise.all(runs.map((run) => run.pid()));
  await until("the containers to run", () => pids.every((pid) => childrenOf(pid).length > 0));
  await Bun.sleep(5000);
  const measured = readMemory(pids[0] ?? 0);
  for (const run of runs) {
    await run.kill("SIGKILL");
    await run.ended();
  }
  return measured;
}

function readMemory(pid: number): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const mb = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1]) * 1024 / 1e6;
  return { privateMb: mb("Private_Clean") + mb("Private_Dirty"), pssMb: mb("Pss") };
}

/** Gbit/s by iperf3 from one network namespace to another, by the machine's pids of processes in them. */
async function throughput(server: number, client: number, address: string): Promise<number> {
  const enter = (pid: number) => ["nsenter", "--net", `--target=${pid}`, "--"];
  const listening = Bun.spawn([...enter(server), "iperf3", "-s", "-1"], { stdout: "ignore", stderr: "ignore" });
  await until("iperf3 to listen", () => Bun.spawnSync([...enter(server), "ss", "-ltnH"]).stdout.includes(":5201"));
  const done = Bun.spawnSync([...enter(client), "iperf3", "-c", address, "-t", "3", "-O", "1", "-J"]);
  await listening.exited;
  const report = JSON.parse(done.stdout.toString());
  if (report.error !== undefined) throw new Error(`iperf3: ${report.error}`);
  return report.end.sum_received.bits_per_second / 1e9;
}

/** Two network namespaces on one bridge, between which throughput is measured. */
export interface Pair {
  readonly name: string;
  readonly server: number;
  readonly client: number;
  readonly address: string;
}

/** Two sleeping containers of skdocker. */
export async function ourPair(lab: Lab): Promise<Pair> {
  const inside = async (run: LabProcess) => {
    const pid = await run.pid();
    await run.waitFor(/ready/);
    return childrenOf(pid)[0] ?? 0;
  };
  const start = () => lab.start("run", "--rm", "busybox", "sh", "-c", "echo ready; sleep 1000");
  const [server, client] = [await inside(start()), await inside(start())];
  return { name: "skdocker", server, client, address: addressIn(server) };
}

/** Two namespaces joined as `ip` would: veth pairs into a bridge, nothing else. */
export async function plainPair(lab: Lab): Promise<Pair> {
  const pids: number[] = [];
  for (const n of [1, 2]) {
    const holder = lab.spawn(["unshare", "--net", "sh", "-c", "ip link set lo up; echo ready; sleep 1000"]);
    await holder.waitFor(/ready/);
    const labPid = await holder.labPid();
    lab.shell(`ip link add plain${n} master br0 type veth peer name eth0 netns ${labPid}; ip link set plain${n} up
      nsenter --net -t ${labPid} sh -ec 'ip address add 172.16.1.${n}/16 dev eth0; ip link set eth0 up'`);
    pids.push(await holder.pid());
  }
  const [server = 0, client = 0] = pids;
  return { name: "a plain veth pair and bridge", server, client, address: "172.16.1.1" };
}

/** Two containers of docker's default bridge. */
export function dockerPair(lab: Lab): Pair {
  const docker = ["docker", "-H", `unix://${lab.directory}/docker.sock`];
  const start = () => {
    const id = lab.output([...docker, "run", "-d", "busybox", "sleep", "1000"]).trim();
    const labPid = Number(lab.output([...docker, "inspect", "-f", "{{.State.Pid}}", id]));
    return machinePid(lab, labPid);
  };
  const [server, client] = [start(), start()];
  return { name: "docker's bridge", server, client, address: addressIn(server) };
}

/** The machine's pid of what the lab knows as `labPid`: a process outside sees both numbers. */
function machinePid(lab: Lab, labPid: number): number {
  const marker = lab.output(["readlink", `/proc/${labPid}/ns/net`]).trim();
  const listed = Bun.spawnSync(["lsns", "-n", "-t", "net", "-o", "NS,PID"]).stdout.toString();
  const inode = /\d+/.exec(marker)?.[0];
  const line = listed.split("\n").map((row) => row.trim().split(/\s+/)).find(([ns]) => ns === inode);
  return Number(line?.[1]);
}

function addressIn(pid: number): string {
  const shown = Bun.spawnSync(["nsenter", "--net", `--target=${pid}`, "ip", "-j", "-4", "address", "show", "eth0"]);
  return JSON.parse(shown.stdout.toString())[0].addr_info[0].local;
}

/** Throughput of the pairs in turns: name → Gbit/s a round. */
export async function throughputs(pairs: readonly Pair[], rounds: number): Promise<Map<string, number[]>> {
  const out = new Map<string, number[]>(pairs.map((pair) => [pair.name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const pair of pairs) out.get(pair.name)?.push(await throughput(pair.server, pair.client, pair.address));
  }
  return out;
}
