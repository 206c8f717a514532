/** Leases of addresses: in order, never two of one, across crashes and reboots, and a name's own again. */
import { expect, test } from "bun:test";
import { Killer } from "../lab/kill.ts";
import { ContainerShell } from "../lab/shell.ts";
import { Lab, until } from "../lab.ts";

const TIMEOUT = { timeout: 100_000 };

/** Runs a container to its end; its address and MAC as its own ip(8) says them. */
function addressOf(lab: Lab, ...flags: string[]): { ip: string; mac: string } {
  const words = ["run", "--rm", ...flags, "busybox", "ip", "address", "show", "eth0"];
  const { code, stdout, stderr } = lab.skdocker(...words);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [, mac, ip] = /link\/ether (\S+) [^]*inet (\S+)\/16/.exec(stdout) ?? [];
  return { ip: ip ?? "none", mac: mac ?? "none" };
}

/** The last octet, or more: how far in its range an address is. */
function place(ip: string): number {
  const [, , third = 0, fourth = 0] = ip.split(".").map(Number);
  return third * 256 + fourth;
}

/** The addresses that are leased, as the files say. */
function leased(lab: Lab): string[] {
  return lab.shell("ls /run/skdocker/networks/bridge/leases").split("\n").filter((line) => line !== "");
}

test("addresses are given in order, none is given again at once, and a name has its own again", () => {
  using lab = Lab.create();
  const given = Array.from({ length: 4 }, () => addressOf(lab).ip);
  expect(given).toEqual(["172.16.0.2", "172.16.0.3", "172.16.0.4", "172.16.0.5"]);
  const blue = addressOf(lab, "--name", "blue");
  expect(blue).toEqual({ ip: "172.16.0.6", mac: "02:53:ac:10:00:06" });
  expect(addressOf(lab).ip).toBe("172.16.0.7");
  expect(addressOf(lab, "--name", "blue")).toEqual(blue);
  const red = addressOf(lab, "--name", "red", "--mac-address", "02:00:00:00:00:aa");
  expect(addressOf(lab, "--name", "red")).toEqual(red);
  expect(leased(lab)).toEqual([]);
});

test("a name whose address somebody else has by now gets another, and that one from then on", async () => {
  using lab = Lab.create();
  const blue = addressOf(lab, "--name", "blue");
  const thief = new ContainerShell(lab, "--ip", blue.ip);
  expect(await thief.address()).toBe(blue.ip);
  const other = addressOf(lab, "--name", "blue");
  expect(other.ip).not.toBe(blue.ip);
  expect(await thief.exit()).toBe(0);
  expect(addressOf(lab, "--name", "blue")).toEqual(other);
});

test("wherever a run is killed, no address is given again at once", async () => {
  using lab = Lab.create();
  let last = place(addressOf(lab).ip);
  const killer = new Killer(lab);
  const args = ["run", "--rm", "--name", "blue", "busybox", "sleep", "1000"];
  const points = await killer.points(args, 70);
  const blue = addressOf(lab, "--name", "blue");
  last = place(addressOf(lab).ip);
  for (const point of points) {
    killer.at(point, args);
    const next = place(addressOf(lab).ip);
    expect({ point, next }).toEqual({ point, next: last + 1 });
    last = next;
    expect({ point, ...addressOf(lab, "--name", "blue") }).toEqual({ point, ...blue });
  }
  expect(leased(lab)).toEqual([]);
}, TIMEOUT);

test("ten of twenty parallel runs are killed: no address is lost, and none is given twice", async () => {
  using lab = Lab.create();
  expect(lab.skdocker("run", "--rm", "busybox", "true").code).toBe(0);
  const before = await lab.settled();
  const living: ContainerShell[] = [];
  for (let round = 0; round < 3; round++) {
    const shells = Array.from({ length: 20 }, () => new ContainerShell(lab));
    // The first is ready: the others stand everywhere on their way.
    await Promise.any(shells.map(({ run }) => {
      run.write("echo up\n");
      return run.waitFor(/up\n/);
    }));
    for (const shell of shells.slice(10)) await shell.run.kill("SIGKILL");
    living.push(...shells.slice(0, 10));
  }
  const addresses = await Promise.all(living.map((shell) => shell.address()));
  expect(new Set(addresses).size).toBe(30);
  expect(lab.skdocker("net", "ls")).toMatchObject({ code: 0, stderr: "" });
  expect(leased(lab).sort()).toEqual([...addresses].sort());
  const pings = await Promise.all(living.map((shell, index) => shell.reaches(addresses[(index + 1) % 30] ?? "")));
  expect(pings).toEqual(Array(30).fill(true));
  expect(await Promise.all(living.map((shell) => shell.exit()))).toEqual(Array(30).fill(0));
  await lab.unchanged(before, { timeout: 10_000 });
}, TIMEOUT);

/** Everything that does not survive a reboot goes, with `runRoot` (a tmpfs, unless somebody has put it elsewhere). */
async function reboot(lab: Lab, { runRoot }: { runRoot: "lost" | "kept" }): Promise<void> {
  await until("all containers to end", () => lab.run(["pgrep", "-xf", "sleep 1000"]).code !== 0);
  lab.shell(`ip link delete skbr0; nft flush ruleset; sysctl -qw net.ipv4.conf.eth0.forwarding=0
    find /sys/fs/cgroup -depth -path '*skdocker*' -type d -exec rmdir {} +`);
  if (runRoot === "lost") lab.shell("find /run/skdocker -mindepth 1 -delete");
}

for (const runRoot of ["lost", "kept"] as const) {
  test(`a machine that went down under its containers comes up with nothing of them, its run root ${runRoot}`, async () => {
    using lab = Lab.create();
    const blue = addressOf(lab, "--name", "blue");
    const range = lab.skdocker("net", "ls").stdout;
    const write = "echo data >/file; echo up; exec sleep 1000";
    const runs = ["blue", "red"].map((name) => lab.start("run", "--name", name, "busybox", "sh", "-c", write));
    for (const run of runs) await run.waitFor(/up/);
    for (const run of runs) await run.kill("SIGKILL");
    expect(lab.shell("ls /var/lib/skdocker/containers | wc -l").trim()).toBe("2");
    await reboot(lab, { runRoot });
    expect(lab.skdocker("net", "ls")).toMatchObject({ code: 0, stderr: "", stdout: range });
    expect(lab.shell("ls /var/lib/skdocker/containers")).toBe("");
    expect(addressOf(lab, "--name", "blue")).toEqual(blue);
    const shells = [new ContainerShell(lab), new ContainerShell(lab, "--name", "red")];
    const addresses = await Promise.all(shells.map((shell) => shell.address()));
    expect(new Set(addresses).size).toBe(2);
    expect(await shells[0]?.reaches("baidu.com")).toBe(true);
    expect(leased(lab).sort()).toEqual(addresses.sort());
    for (const shell of shells) await shell.exit();
    expect(lab.shell("ls /var/lib/skdocker/containers; ls /run/skdocker/containers /run/skdocker/names | grep -v :"))
      .toBe("\n");
  });
}
