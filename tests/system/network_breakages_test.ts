/**
 * `net reset` through the built binary after whatever somebody may do to links, addresses, routes, rules and settings: the
 * state is that of a fresh start, on the host and in the containers, and an open connection has lived through all of it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { difference, Lab, type LabProcess, until } from "../lab.ts";
import { type Breakage, BREAKAGES, type Place, seeded } from "../lab/breakages.ts";
import { NETWORK_STATE, parseNetworkState } from "../lab/network_state.ts";
import { startResolver } from "../lab/resolver.ts";
import { ContainerShell } from "../lab/shell.ts";

type State = Readonly<Record<Place, Readonly<Record<string, readonly string[]>>>>;

let lab: Lab;
let bridged: ContainerShell;
let paired: ContainerShell;
let joined: ContainerShell;
let server: LabProcess;
let before: State;
const pids: Partial<Record<Place, number>> = {};
const links: Record<string, string> = {};

beforeAll(async () => {
  lab = Lab.create({ resolvConf: "nameserver 127.0.0.53\n" });
  await startResolver(lab, "127.0.0.53", "--host-record=split.test,10.1.2.3");
  // One after another: a bridge numbers its ports as they come.
  bridged = new ContainerShell(lab, "--name", "bridged");
  await bridged.address();
  const second = new ContainerShell(lab);
  await second.address();
  paired = new ContainerShell(lab, "--name", "paired", "--network", "ptp");
  await paired.address();
  joined = new ContainerShell(lab, "--network", "container:paired");
  [pids.bridged, pids.paired] = [await bridged.labPid(), await paired.labPid()];
  for (const { ifname, ifalias } of lab.ip("link", "show", "type", "veth")) links[ifalias ?? ""] = ifname;
  for (const shell of [bridged, second, paired]) await shell.reaches("baidu.com");
  server = lab.spawn(["nsenter", "--net=/run/netns/internet", "--", "busybox", "nc", "-l", "-p", "7000"], {
    stdin: "pipe",
  });
  await until("the server to listen", () => lab.internet("ss", "-ltnH").stdout.includes(":7000"));
  await bridged.output(`mkfifo /tmp/out; exec 9<>/tmp/out; nc ${lab.internetAddress} 7000 </tmp/out >/tmp/in &
    echo one >/tmp/out`);
  await server.waitFor(/one/);
  await lab.settled();
  before = look();
});
afterAll(() => lab[Symbol.dispose]());

/** What ip(8), nft(8) and sysctl(8) show of three namespaces, without what is learnt from traffic. */
function look(): State {
  const of = (text: string) => {
    const { neigh: _learnt, fdb: _learntToo, ...made } = parseNetworkState(text);
    return made;
  };
  return {
    host: of(lab.output(["sh", "-c", NETWORK_STATE])),
    bridged: of(lab.netnsOf(pids.bridged ?? 0, ["sh", "-c", NETWORK_STATE]).stdout),
    paired: of(lab.netnsOf(pids.paired ?? 0, ["sh", "-c", NETWORK_STATE]).stdout),
  };
}

/** False where it cannot be done, as what it is about has gone with a breakage before it. */
function breakNetwork({ place, command }: Breakage): boolean {
  const typed = command.replaceAll("PORT", links["bridged"] ?? "").replaceAll("PTP", links["paired"] ?? "");
  const inside = place === "host" ? [] : ["nsenter", "--net", `--target=${pids[place]}`, "--"];
  return lab.run([...inside, "sh", "-ec", typed]).code === 0;
}

/** Resets and says what is not as it was. */
async function repaired(): Promise<string[]> {
  const { code, stderr } = lab.skdocker("net", "reset");
  if (code !== 0 || stderr !== "") return [`net reset: ${code} ${stderr}`];
  let differences: string[] = [];
  const asBefore = () => {
    const now = look();
    differences = (["host", "bridged", "paired"] as const).flatMap((place) =>
      difference(before[place], now[place]).map((line) => `${place} ${line}`)
    );
    return differences.length === 0;
  };
  // A port takes a moment until it forwards again.
  await until("the state of a fresh start", asBefore, { timeout: 2000 }).catch(() => {});
  for (const [shell, target] of [[bridged, "172.16.0.1"], [paired, lab.internetAddress]] as const) {
    if (!await shell.reaches(target)) differences.push(`${target} does not answer`);
  }
  for (const shell of [bridged, joined]) {
    const { code, output } = await shell.type("nslookup -type=a split.test");
    if (code !== 0) differences.push(`a name is not found: ${output}`);
  }
  return differences;
}

test("after any one breakage all is as after a fresh start", async () => {
  const failures: Record<string, string[]> = {};
  for (const breakage of BREAKAGES) {
    if (!breakNetwork(breakage)) failures[breakage.command] = ["could not be done"];
    const differences = await repaired();
    if (differences.length > 0) failures[breakage.command] = differences;
  }
  expect(failures).toEqual({});
}, 120_000);

test("after several at once, drawn twenty times, as well", async () => {
  const seed = Date.now() % 1_000_000;
  const random = seeded(seed);
  const failures: Record<string, string[]> = {};
  let done = 0;
  for (let round = 0; round < 20; round++) {
    const drawn = Array.from(
      { length: 2 + Math.floor(random() * 3) },
      () => BREAKAGES[Math.floor(random() * BREAKAGES.length)] as Breakage,
    );
    for (const breakage of drawn) if (breakNetwork(breakage)) done++;
    const differences = await repaired();
    const commands = drawn.map(({ place, command }) => `[${place}] ${command}`).join("; ");
    if (differences.length > 0) failures[`seed ${seed}, round ${round}: ${commands}`] = differences;
  }
  expect(failures).toEqual({});
  expect(done).toBeGreaterThan(20);
}, 90_000);

test("a connection that was opened before all of that still carries bytes both ways", async () => {
  await bridged.output("echo two >/tmp/out");
  await server.waitFor(/two/);
  server.write("three\n");
  expect(await bridged.output("for i in $(seq 100); do grep three /tmp/in && break; sleep 0.1; done")).toBe("three\n");
});

test("a reset of what is right does nothing", () => {
  const generation = () => /"generation":(\d+)/.exec(lab.shell(`cat ${lab.runRoot}/networks/bridge/state.json`))?.[1];
  const first = generation();
  const monitor = lab.output(["ip", "-j", "-d", "link"]);
  expect(lab.skdocker("net", "reset", "--explain").stderr.trim()).toBe("# 0 steps");
  expect(generation()).toBe(first as string);
  expect(lab.output(["ip", "-j", "-d", "link"]).replaceAll(/"[a-z_]*timer":[^,]*/g, ""))
    .toBe(monitor.replaceAll(/"[a-z_]*timer":[^,]*/g, ""));
});
