/** Many containers at once: each has an address of its own, a name or an address is won by one, a bridge can be full. */
import { expect, test } from "bun:test";
import { ContainerShell } from "../lab/shell.ts";
import { type Ended, Lab, type LabProcess } from "../lab.ts";

const TIMEOUT = { timeout: 100_000 };

function end(runs: readonly LabProcess[]): Promise<Ended[]> {
  return Promise.all(runs.map((run) => run.ended({ timeout: 60_000 })));
}

test("fifty containers started at once have fifty addresses, all work, and nothing is left of them", async () => {
  using lab = Lab.create();
  expect(lab.skdocker("run", "--rm", "busybox", "true").code).toBe(0);
  const before = await lab.settled();
  const shells = Array.from({ length: 50 }, () => new ContainerShell(lab));
  await Promise.all(shells.map(({ run }) => {
    run.write("echo up\n");
    return run.waitFor(/up\n/, { timeout: 60_000 });
  }));
  const addresses: string[] = [];
  for (const [index, shell] of shells.entries()) {
    // What was said to find out whether it runs is behind us.
    addresses[index] = /inet (172\.16\.\d+\.\d+)\/16/.exec((await shell.type("ip -4 address show eth0")).output)?.[1] ??
      "";
  }
  expect(addresses).not.toContain("");
  expect(new Set(addresses).size).toBe(50);
  const ports = lab.ip("link", "show", "master", "skbr0");
  expect(ports).toHaveLength(50);
  const pings = await Promise.all(shells.map((shell, index) => {
    const neighbour = addresses[(index + 1) % 50];
    return shell.type(`ping -c 1 -W 5 172.16.0.1 && ping -c 1 -W 5 ${neighbour} && ping -c 1 -W 5 220.181.38.152`);
  }));
  expect(pings.filter(({ code }) => code !== 0)).toEqual([]);
  expect(await Promise.all(shells.map((shell) => shell.exit()))).toEqual(Array(50).fill(0));
  await lab.unchanged(before, { timeout: 10_000 });
}, TIMEOUT);

test("of twenty runs at once that want one name, one has it, and the others are told so", async () => {
  using lab = Lab.create();
  const winning = "sleep 1000 & trap 'exit 0' TERM; echo won; wait";
  const runs = Array.from({ length: 20 }, () => lab.start("run", "--name", "blue", "busybox", "sh", "-c", winning));
  const { winner, losers } = await contend(runs);
  for (const { code, stdout, stderr } of losers) {
    expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
    expect(stderr).toMatch(/^skdocker: The container name "blue" is already in use by container [0-9a-f]{12}\n$/);
  }
  await winner.kill("SIGTERM");
  expect((await winner.ended()).code).toBe(0);
  expect(lab.skdocker("run", "--name", "blue", "busybox", "true").code).toBe(0);
}, TIMEOUT);

test("of twenty runs at once that want one address, one has it, and the others are told so", async () => {
  using lab = Lab.create();
  const winning = "sleep 1000 & trap 'exit 0' TERM; echo won; wait";
  const words = ["run", "--ip", "172.16.9.9", "busybox", "sh", "-c", winning];
  const { winner, losers } = await contend(Array.from({ length: 20 }, () => lab.start(...words)));
  for (const { code, stdout, stderr } of losers) {
    expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
    expect(stderr).toMatch(/^skdocker: The address 172\.16\.9\.9 .* is already in use by container [0-9a-f]{12}\n$/);
  }
  expect(lab.output(["ping", "-c", "1", "-W", "2", "172.16.9.9"])).toContain("1 received");
  await winner.kill("SIGTERM");
  expect((await winner.ended()).code).toBe(0);
  expect(lab.skdocker("run", "--ip", "172.16.9.9", "busybox", "true").code).toBe(0);
}, TIMEOUT);

/** Waits until one of the runs has its container and all others have ended. */
async function contend(runs: readonly LabProcess[]): Promise<{ winner: LabProcess; losers: Ended[] }> {
  const winner = await Promise.any(runs.map(async (run) => {
    await run.waitFor(/^won$/m, { timeout: 60_000 });
    return run;
  }));
  return { winner, losers: await end(runs.filter((run) => run !== winner)) };
}

test("the 1,024th port of the bridge is refused in one sentence, and nothing is changed", async () => {
  using lab = Lab.create();
  expect(lab.skdocker("run", "--rm", "busybox", "true").code).toBe(0);
  lab.shell(
    `for i in $(seq 1022); do
      echo "link add t$i type veth peer name u$i"; echo "link set t$i master skbr0"
    done | ip -batch -`,
    { timeout: 60_000 },
  );
  const last = new ContainerShell(lab);
  expect(await last.reaches("172.16.0.1")).toBe(true);
  const before = lab.shell("ls /sys/class/net | sort; find /run/skdocker /var/lib/skdocker | sort");
  expect(lab.skdocker("run", "--rm", "busybox", "true")).toEqual({
    code: 125,
    stdout: "",
    stderr: 'skdocker: The bridge "skbr0" is full: the kernel gives a bridge at most 1,023 ports\n',
  });
  expect(lab.shell("ls /sys/class/net | sort; find /run/skdocker /var/lib/skdocker | sort")).toBe(before);
  lab.shell("ip link delete t7");
  expect(lab.skdocker("run", "--rm", "busybox", "ping", "-c", "1", "-W", "2", "172.16.0.1").code).toBe(0);
  expect(await last.exit()).toBe(0);
}, TIMEOUT);
