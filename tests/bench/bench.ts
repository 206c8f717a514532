/**
 * skdocker against what nobody can avoid, and against those who do the same. Started by scripts/bench.
 *
 * Usage: bun tests/bench/bench.ts [--rounds N] [--no-write] [start|crowd|burst|memory|throughput …]
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Lab } from "../lab.ts";
import { beside, burst, dockerPair, memory, ourPair, plainPair, race, say, throughputs } from "./measure.ts";
import { compare, type Comparison, type Row, table, writeTable } from "./report.ts";
import {
  dockerRivals,
  isInstalled,
  makeLectureBridge,
  makeRootfs,
  podmanRivals,
  type Rival,
  runcRival,
  TOOLS,
} from "./rivals.ts";
import { sumOf } from "./sample.ts";

const ROWS = ["start", "crowd", "burst", "memory", "throughput"] as const;
type RowName = typeof ROWS[number];

/** The rivals that are here, each in the lab given for it; one that does not work on this machine is left out, and said. */
async function otherTools(labs: { plain: Lab; docker: Lab; podman: Lab }, root: string): Promise<Rival[]> {
  const tools: [string, () => Rival[] | Promise<Rival[]>][] = [
    ["runc", () => [runcRival(labs.plain, root)]],
    ["dockerd", () => dockerRivals(labs.docker, root)],
    ["podman", () => podmanRivals(labs.podman, root)],
  ];
  const rivals: Rival[] = [];
  for (const [program, make] of tools) {
    if (!isInstalled(program)) {
      say(`${program} is not installed (scripts/bench --install-rivals)`);
      continue;
    }
    try {
      for (const rival of await make()) {
        rival.lab.output(rival.argv, { timeout: 60_000 });
        rivals.push(rival);
      }
    } catch (error) {
      say(`${program} does not work here, so it is left out: ${error instanceof Error ? error.message : error}`);
    }
  }
  return rivals;
}

/** All that is one command from start to end, in interleaved rounds. */
async function startRows(rounds: number): Promise<Row[]> {
  using ours = Lab.create();
  using plain = Lab.create({ cgroups: "machine" });
  using docker = Lab.create({ cgroups: "machine" });
  using podman = Lab.create({ cgroups: "machine" });
  makeLectureBridge(plain);
  const root = makeRootfs(plain);
  const tool = (name: string) => join(TOOLS, name);
  const skdocker = (name: string, ...args: string[]): Rival => ({ name, lab: ours, argv: [ours.binary, ...args] });
  const others = await otherTools({ plain, docker, podman }, root);
  say(`start: ${rounds} rounds against ${["floor", "lecture", ...others.map((one) => one.name)].join(", ")}`);
  const samples = await race([
    skdocker("bridge", "run", "--rm", "busybox", "true"),
    { name: "empty", lab: ours, argv: [tool("empty")] },
    { name: "floor", lab: plain, argv: [tool("floor"), root, "/bin/true"] },
    skdocker("none", "run", "--rm", "--network", "none", "busybox", "true"),
    { name: "lecture", lab: plain, argv: [tool("lecture"), root, "/bin/true"] },
    skdocker("version", "version"),
    skdocker("net ls", "net", "ls"),
    ...others,
  ], { rounds, ours });
  const of = (name: string) => samples.get(name) ?? [];
  const sum = sumOf(of("floor"), of("empty"));
  const bridge = { what: "`run --rm busybox true` on the bridge", ours: of("bridge") };
  const none = { what: "`run --rm --network none busybox true`", ours: of("none") };
  const comparisons: Comparison[] = [
    { ...bridge, rival: "floor + empty Bun program", theirs: sum, atMost: 1.45 },
    { ...bridge, rival: "floor alone", theirs: of("floor") },
    { ...bridge, rival: "the lecture's program", theirs: of("lecture"), atMost: 0.3 },
    ...others.filter(({ name }) => !name.endsWith("none")).map(({ name }) => ({
      ...bridge,
      rival: name,
      theirs: of(name),
      ...(name.startsWith("docker") ? { atMost: 0.045 } : name.startsWith("runc") ? { atMost: 0.5 } : {}),
    })),
    { ...none, rival: "floor + empty Bun program", theirs: sum, atMost: 1.2 },
    ...others.filter(({ name }) => name.endsWith("none")).map(({ name }) => ({
      ...none,
      rival: name,
      theirs: of(name),
    })),
    { what: "`version`", ours: of("version"), rival: "empty Bun program", theirs: of("empty"), atMost: 1.3 },
    { what: "`net ls`", ours: of("net ls"), rival: "empty Bun program", theirs: of("empty"), atMost: 1.8 },
  ];
  return comparisons.map(compare);
}

async function crowdRows(): Promise<Row[]> {
  using lab = Lab.create();
  say("crowd: one start beside 199 running containers");
  const [alone, among] = await beside(lab, { count: 200, samples: 20 });
  const what = "the 200th container's start, 199 running";
  return [compare({ what, ours: among, rival: "the 1st's", theirs: alone, atMost: 1.3, paired: false })];
}

async function burstRows(rounds: number): Promise<Row[]> {
  using lab = Lab.create();
  say("burst: 100 containers from 8 parallel callers");
  const [alone, many] = await burst(lab, { count: 100, parallel: 8, rounds: Math.max(3, Math.ceil(rounds / 10)) });
  const what = "100 containers from 8 callers, until the last veth is gone, per container";
  return [compare({ what, ours: many, rival: "one alone", theirs: alone, atMost: 1.2 })];
}

async function memoryRows(): Promise<Row[]> {
  using lab = Lab.create();
  say("memory: the foreground process while its container sleeps");
  const { privateMb, pssMb } = await memory(lab);
  return [{
    what: "private memory of the foreground process while its container sleeps, beside a second one",
    ours: `${privateMb.toFixed(1)} MB (PSS ${pssMb.toFixed(1)} MB)`,
    theirs: "",
    ratio: "",
    goal: "≤ 12 MB",
    met: privateMb <= 12,
  }];
}

async function throughputRows(): Promise<Row[]> {
  using ours = Lab.create();
  using other = Lab.create({ cgroups: "machine" });
  const pairs = [await ourPair(ours)];
  if (isInstalled("dockerd")) {
    await dockerRivals(other, makeRootfs(other));
    pairs.push(dockerPair(other));
  } else {
    makeLectureBridge(other);
    pairs.push(await plainPair(other));
  }
  say(`throughput: container to container, against ${pairs[1]?.name}`);
  const samples = await throughputs(pairs, 5);
  const [mine = [], theirs = []] = [...samples.values()];
  const what = "container to container, iperf3, one TCP stream";
  return [compare({ what, ours: mine, rival: pairs[1]?.name ?? "", theirs, unit: "Gbit/s", atLeast: 0.95 })];
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: "string", default: "40" }, "no-write": { type: "boolean", default: false } },
  });
  const unknown = positionals.filter((name) => !ROWS.some((row) => row === name));
  if (unknown.length > 0) throw new Error(`no row ${unknown.join(", ")}: there are ${ROWS.join(", ")}`);
  const asked = (name: RowName) => positionals.length === 0 || positionals.includes(name);
  const rounds = Number(values.rounds);
  const rows: Row[] = [];
  if (asked("start")) rows.push(...await startRows(rounds));
  if (asked("crowd")) rows.push(...await crowdRows());
  if (asked("burst")) rows.push(...await burstRows(rounds));
  if (asked("memory")) rows.push(...await memoryRows());
  if (asked("throughput")) rows.push(...await throughputRows());
  const binary = process.env["SKDOCKER_BINARY"] ?? join(import.meta.dir, "../../dist/skdocker");
  const skdocker = Bun.spawnSync([binary, "--version"]).stdout.toString().trim();
  const text = table(rows, { rounds, skdocker });
  writeSync(1, `${text}\n`);
  // A part of the table would take the place of the whole.
  if (positionals.length === 0 && !values["no-write"]) {
    writeTable(join(import.meta.dir, "../../docs/performance.md"), text);
    say("written to docs/performance.md");
  }
}

await main();
