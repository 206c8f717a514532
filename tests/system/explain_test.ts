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

const HOSTS = [
  { mode: "bridge", on: "an empty host", options: {} },
  { mode: "ptp", on: "an empty host", options: {} },
  { mode: "none", on: "an empty host", options: {} },
  // Containers cannot reach such a name server: skdocker stands in for it, by rules in their namespaces.
  { mode: "bridge", on: "a host that asks itself for names", options: { resolvConf: "nameserver 127.0.0.53\n" } },
];

describe.each(HOSTS)("what run --network $mode --explain prints of the network, on $on,", ({ mode, options }) => {
  let lines: readonly string[] = [];

  test("makes the same network when a shell runs it", async () => {
    using lab = Lab.create(options);
    using typed = Lab.create(options);
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

  test("holds no line that could be left out", async () => {
    expect(lines).not.toBeEmpty();
    const [one, other] = await Promise.all([stateAfter(lines), stateAfter(lines)]);
    expect(difference(one ?? {}, other ?? {})).toEqual([]); // or any difference would mean nothing
    expect(await needlessLines(lines)).toEqual([]);
  }, 120_000);
});

test.each(["bridge", "ptp", "none"])("run --network %s --dry-run prints the same, and does nothing", async (mode) => {
  using lab = Lab.create();
  const before = lab.snapshot();
  const dry = lab.skdocker("run", "--rm", "-i", "--dry-run", "--network", mode, "--name", "web", "busybox", "/bin/sh");
  expect({ code: dry.code, stdout: dry.stdout }).toEqual({ code: 0, stdout: "" });
  lab.expectUnchanged(before);
  expect(dry.stderr.match(/would be taken/g) ?? []).toHaveLength(mode === "none" ? 0 : 1);
  const wet = await explainRun(lab, { mode, name: "web" });
  expect(nameless(commandsIn(dry.stderr).network)).toEqual(nameless(wet.network));
  await wet.shell.exit();
});

/** The host's link is named after the container's id, which is another one each time. */
function nameless(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/\bveth[0-9a-f]{8}\b/g, "VETH"));
}
