/**
 * What `--explain` prints is what was done: typed into a shell with the real ip, nft and sysctl, the network's lines
 * make the same network, and none of them is there for nothing.
 */
import { describe, expect, test } from "bun:test";
import { difference, Lab, type Snapshot } from "../lab.ts";
import { NETWORK_STATE, parseNetworkState, withoutCarrier } from "../lab/network_state.ts";
import { ContainerShell } from "../lab/shell.ts";
import { until } from "../lab/until.ts";

interface Commands {
  /** What is done to networks. */
  readonly network: readonly string[];
  /** What the child does. */
  readonly container: readonly string[];
}

/** The lines that are commands, in order. */
function commandsIn(explained: string): Commands {
  const commands: Record<string, string[]> = { network: [], container: [] };
  let part = "";
  for (const line of explained.split("\n")) {
    part = /^# (network|container)\b.* \([0-9a-f]{12}\)$/.exec(line)?.[1] ?? part;
    if (line !== "" && !line.startsWith("#")) commands[part]?.push(line);
  }
  const { network = [], container = [] } = commands;
  expect(explained).toEndWith(`# ${network.length + container.length} steps\n`);
  return { network, container };
}

interface Explained extends Commands {
  readonly shell: ContainerShell;
}

/** Starts a container that explains itself and then waits for its input. */
async function explainRun(lab: Lab, { mode, name }: { mode: string; name: string }): Promise<Explained> {
  const shell = new ContainerShell(lab, "--explain", "--network", mode, "--name", name);
  await shell.run.waitFor(/^# \d+ steps$/m);
  return { shell, ...commandsIn(shell.run.stderr) };
}

/** Types the network's lines, and what the child sets in its network: the kernel keeps it with the namespace. */
function type(lab: Lab, { network, container }: Commands, { name }: { name: string }): void {
  const settings = container.filter((line) => /^sysctl .*\bnet\./.test(line));
  lab.shell([...network, ...settings.map((line) => `ip netns exec ${name} ${line}`)].join("\n"));
}

/** Host's and container's namespaces, the latter entered by a command. */
function stateOf(lab: Lab, enter: readonly string[]): Snapshot {
  const state: Record<string, readonly string[]> = {};
  for (const [side, words] of [["host", []], ["container", enter]] as const) {
    const seen = parseNetworkState(lab.output([...words, "sh", "-c", NETWORK_STATE]));
    for (const section in seen) state[`${side} ${section}`] = (seen[section] ?? []).filter(isLasting).sort();
  }
  return state;
}

/** The host speaks to the internet, and forgets it, by itself. */
function isLasting(line: string): boolean {
  return !line.startsWith('{"dst":"10.0.24.1","dev":"eth0"');
}

/** Waits until two worlds are the same: the kernel tells of a carrier a moment after the last command has ended. */
async function expectSame(one: () => Snapshot, other: () => Snapshot): Promise<void> {
  let changes: string[] = [];
  await until("both worlds to be the same", () => (changes = difference(one(), other())).length === 0, {
    timeout: 3000,
  })
    .catch(() => {}); // said by what differs
  expect(changes).toEqual([]);
}

/** Runs lines in a world of their own that is like a lab's host, but made and gone in no time; its state, if it has one. */
async function stateAfter(lines: readonly string[]): Promise<Snapshot | undefined> {
  const script = `${WORLD}\n${lines.join("\n")}\n(${NETWORK_STATE})\nip netns exec web sh -c '${NETWORK_STATE}'`;
  const world = Bun.spawn(["timeout", "-s", "KILL", "20", "unshare", "--net", "--mount", "sh", "-ec", script], {
    stdout: "pipe",
    stderr: "ignore",
  });
  const output = await new Response(world.stdout).text();
  if (await world.exited !== 0) return undefined;
  const [host = "", container = ""] = output.split(/(?<==== end\n)/);
  const state: Record<string, readonly string[]> = {};
  for (const [side, text] of [["host", host], ["container", container]] as const) {
    const seen = withoutCarrier(parseNetworkState(text));
    for (const section in seen) state[`${side} ${section}`] = seen[section] ?? [];
  }
  return state;
}

const WORLD = `
mount -t tmpfs tmpfs /run; mkdir /run/netns
for which in all default; do sysctl -qw net.ipv4.conf.$which.forwarding=0 net.ipv4.conf.$which.route_localnet=0 \\
  net.ipv4.conf.$which.accept_redirects=1 net.ipv4.conf.$which.send_redirects=1; done
ip link add eth0 address 52:54:00:00:24:05 type veth peer name wan0 address 52:54:00:00:24:01
sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1 net.ipv6.conf.wan0.disable_ipv6=1
ip link set wan0 up; ip address add 10.0.24.5/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.24.1`;

/** At most this many worlds at once. */
const ABREAST = 3;

/** The lines without which the world is the same as with all of them. */
async function needlessLines(lines: readonly string[]): Promise<string[]> {
  const whole = await stateAfter(lines);
  if (whole === undefined) throw new Error("the lines do not run in a plain world");
  const needless: string[] = [];
  const left = [...lines.keys()];
  const work = async () => {
    for (let leftOut = left.shift(); leftOut !== undefined; leftOut = left.shift()) {
      const state = await stateAfter(lines.filter((_, index) => index !== leftOut));
      if (state && difference(whole, state).length === 0) needless.push(lines[leftOut] ?? "");
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, work));
  return needless;
}

/** Containers cannot reach such a name server: skdocker stands in for it, by rules in their namespaces. */
const ASKS_ITSELF = { resolvConf: "nameserver 127.0.0.53\n" };

const IPV6 = "ip address add 2001:db8::5/64 dev eth0 nodad; ip -6 route add default via 2001:db8::1; " +
  "sysctl -qw net.ipv6.conf.eth0.accept_ra=2";

const HOSTS = [
  { mode: "bridge", on: "an empty host", options: {}, made: "" },
  { mode: "ptp", on: "an empty host", options: {}, made: "" },
  { mode: "none", on: "an empty host", options: {}, made: "" },
  { mode: "none,lo=down", on: "an empty host", options: {}, made: "" },
  { mode: "bridge", on: "a host that asks itself for names", options: ASKS_ITSELF, made: "" },
  // Compared only: the plain world in which lines are left out is another one.
  { mode: "ptp,gateway=off,masquerade=off", on: "an empty host with a small MTU", options: { mtu: 1400 }, made: ":" },
  { mode: "ptp", on: "a host that asks itself for names by IPv6", options: ASKS_ITSELF, made: IPV6 },
  { mode: "bridge", on: "a host with IPv6", options: { mtu: 1400 }, made: IPV6 },
];

describe.each(HOSTS)("what run --network $mode --explain prints of the network, on $on,", ({ mode, options, made }) => {
  let lines: readonly string[] = [];

  test("makes the same network when a shell runs it", async () => {
    using lab = Lab.create(options);
    using typed = Lab.create(options);
    for (const host of [lab, typed]) host.shell(made);
    const first = await explainRun(lab, { mode, name: "web" });
    lines = first.network;
    expect(lines.some((line) => line.includes("exec web nft"))).toBe("resolvConf" in options);
    type(typed, first, { name: "web" });
    const pid = await first.shell.labPid();
    const run = () => stateOf(lab, ["nsenter", "--net", `--target=${pid}`]);
    await expectSame(run, () => stateOf(typed, ["ip", "netns", "exec", "web"]));
    // With the network there, the container's part is all that is left, and it fits the same.
    const second = await explainRun(lab, { mode, name: "web2" });
    expect(second.network[0]).toBe("ip netns add web2");
    expect(second.network.filter((line) => !/\bweb2\b|\bveth/.test(line))).toEqual([]);
    type(typed, second, { name: "web2" });
    await expectSame(run, () => stateOf(typed, ["ip", "netns", "exec", "web"]));
    await Promise.all([first.shell.exit(), second.shell.exit()]);
  }, 30_000);

  const holdsNoNeedlessLine = async () => {
    expect(lines).not.toBeEmpty();
    const [one, other] = await Promise.all([stateAfter(lines), stateAfter(lines)]);
    expect(difference(one ?? {}, other ?? {})).toEqual([]); // or any difference would mean nothing
    expect(await needlessLines(lines)).toEqual([]);
  };
  if (made === "") test("holds no line that could be left out", holdsNoNeedlessLine, 120_000);
});

const RUNS = [
  "--network bridge",
  "--network ptp",
  "--network ptp,gateway=off,masquerade=off",
  "--network none",
  "--network none,lo=down",
  "--network host",
  "--network host -h other",
  "--network container:beside",
  "--network ns:/run/netns/internet --dns 1.1.1.1",
  "--ip 172.16.0.9 --mac-address 02:00:00:00:00:01",
  "--init -u 1000 --cap-add ALL --security-opt no-new-privileges",
  "-m 64m --cpus 1 --pids-limit 50 -t",
  "-v /usr/share:/h:ro --tmpfs /x --tmpfs /h/dict -w /x/y --read-only",
  "-w /new --privileged --dns none",
  "--shm-size 1m --sysctl net.core.somaxconn=5 --ulimit nofile=5:6 -e A=1",
];

describe.each([{ on: "an empty host", options: {} }, {
  on: "a host that asks itself for names",
  options: ASKS_ITSELF,
}])(
  "on $on, --dry-run prints what --explain prints of the run itself, and does nothing,",
  ({ options }) => {
    test("first and later, for all kinds of runs", async () => {
      using lab = Lab.create(options);
      for (const [index, flags] of RUNS.entries()) {
        // The first meets a host that skdocker has never been on.
        const beside = index === 1 ? new ContainerShell(lab, "--name", "beside") : undefined;
        await beside?.output("true");
        const run = (how: string) => lab.skdocker("run", how, ...flags.split(" "), "busybox", "true");
        const before = await lab.settled();
        const dry = run("--dry-run");
        lab.expectUnchanged(before);
        const wet = run("--explain");
        expect([flags, dry.code, dry.stdout, wet.code]).toEqual([flags, 0, "", 0]);
        const pair = /--network (ptp|bridge)|--ip|^(?!.*--network)/.test(flags);
        expect([flags, dry.stderr.match(/would be taken/g)?.length ?? 0]).toEqual([flags, pair ? 1 : 0]);
        // What is printed behind the number of steps is of the container's end.
        const [whole] = /^[^]*^# \d+ steps\n/m.exec(wet.stderr) ?? [""];
        expect(alike(dry.stderr.replace(/^# The .* would .*\n/gm, ""))).toBe(alike(whole));
      }
    }, 60_000);
  },
);

/** Ids, the links named after them, and ports that the kernel chooses, are others each time. */
function alike(text: string): string {
  return text.replace(/\b[0-9a-f]{64}\b/g, "ID").replace(/\b[0-9a-f]{12}\b/g, "ID12").replace(
    /\bveth[0-9a-f]{8}\b/g,
    "VETH",
  )
    .replace(/(127\.0\.0\.11):\d+/g, "$1:PORT");
}
