/** The lecture's fourth network: a bridge, with any number of containers. */
import { expect, test } from "bun:test";
import { difference, Lab } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";

test("net init makes the bridge before any container, and a second call changes nothing", () => {
  using lab = Lab.create();
  expect(lab.skdocker("net", "init").code).toBe(0);
  const [bridge] = lab.ip("address", "show", "type", "bridge");
  expect(bridge.ifname).toBe("skbr0");
  expect(bridge.flags).toContain("UP");
  expect(bridge.addr_info[0]).toMatchObject({ local: "172.16.0.1", prefixlen: 16 });
  const first = lab.snapshot();
  expect(lab.skdocker("net", "init").code).toBe(0);
  lab.expectUnchanged(first);
});

test("containers reach each other, the host, and the outside by address and by name", async () => {
  using lab = Lab.create();
  const [one, two] = [new ContainerShell(lab), new ContainerShell(lab)];
  const [first, second] = [await one.address(), await two.address()];
  expect(first).not.toBe(second);
  expect(await one.reaches(second)).toBe(true);
  expect(await two.reaches(first)).toBe(true);
  for (const target of ["127.0.0.1", "172.16.0.1", lab.hostAddress, lab.internetAddress, "baidu.com"]) {
    expect([target, await one.reaches(target)]).toEqual([target, true]);
  }
  expect(await two.output("wget -q -O- http://baidu.com/")).toBe("the internet says hello\n");
  expect(lab.run(["ping", "-c1", "-W2", first]).code).toBe(0);
  await Promise.all([one.exit(), two.exit()]);
});

test("the internet sees the host's address, and cannot come in by itself", async () => {
  using lab = Lab.create();
  const shell = new ContainerShell(lab);
  const address = await shell.address();
  const capture = await lab.tcpdump(["-i", "wan0", "icmp"], { internet: true });
  expect(await shell.reaches(lab.internetAddress)).toBe(true);
  await capture.waitFor(/10\.0\.24\.5 > 220\.181\.38\.152: ICMP echo request/);
  expect(capture.stdout).not.toContain(address);
  lab.internet("ip", "route", "add", "172.16.0.0/16", "via", lab.hostAddress);
  expect(lab.internet("ping", "-c1", "-W1", address).code).not.toBe(0);
  await shell.exit();
});

test("ip link shows the pairs: ports of the bridge outside, eth0@ifN inside, each naming the other", async () => {
  using lab = Lab.create();
  const shell = new ContainerShell(lab);
  const [, own, peer] = /(\d+): eth0@if(\d+): .*UP,LOWER_UP/.exec(await shell.output("ip link show eth0")) ?? [];
  const [port] = lab.ip("link", "show", "master", "skbr0");
  expect([port.ifindex, port.link_index]).toEqual([Number(peer), Number(own)]);
  expect(port.linkinfo).toMatchObject({ info_kind: "veth", info_slave_kind: "bridge" });
  expect(port.operstate).toBe("UP");
  await shell.exit();
});

test("beside a docker0 on 172.17.0.0/16 both work", async () => {
  using lab = Lab.create();
  lab.shell(`ip link add docker0 type bridge; ip address add 172.17.0.1/16 dev docker0; ip link set docker0 up
    ip netns add theirs; ip link add v1 master docker0 type veth peer name eth0 netns theirs; ip link set v1 up
    ip -n theirs address add 172.17.0.2/16 dev eth0; ip -n theirs link set eth0 up; ip -n theirs route add default via 172.17.0.1`);
  const shell = new ContainerShell(lab);
  const address = await shell.address();
  expect(address).toStartWith("172.16.");
  expect(await shell.reaches(lab.internetAddress)).toBe(true);
  expect(lab.run(["ip", "netns", "exec", "theirs", "ping", "-c1", "-W2", "172.17.0.1"]).code).toBe(0);
  await shell.exit();
});

test("twenty containers at once have twenty addresses, and all reach the outside", async () => {
  using lab = Lab.create();
  const shells = Array.from({ length: 20 }, () => new ContainerShell(lab));
  const addresses = await Promise.all(shells.map((shell) => shell.address()));
  expect(new Set(addresses).size).toBe(20);
  const reached = await Promise.all(shells.map((shell) => shell.reaches(lab.internetAddress)));
  expect(reached).toEqual(shells.map(() => true));
  await Promise.all(shells.map((shell) => shell.exit()));
}, 120_000);

test("what one container does to its own link, address and routes, another does not notice", async () => {
  using lab = Lab.create();
  const [wild, calm] = [new ContainerShell(lab, "--cap-add", "NET_ADMIN"), new ContainerShell(lab)];
  await wild.address();
  await calm.address();
  const pid = await calm.labPid();
  const state = () =>
    ["link", "address", "route"].map((what) => JSON.parse(lab.netnsOf(pid, ["ip", "-j", what, "show"]).stdout));
  const before = state();
  const ping = lab.spawn([
    "nsenter",
    "--net",
    `--target=${pid}`,
    "--",
    "ping",
    "-i",
    "0.05",
    "-D",
    lab.internetAddress,
  ]);
  await ping.waitFor(/icmp_seq=3 /);
  await wild.output("ip address add 172.16.77.77/16 dev eth0; ip route add 10.99.0.0/16 via 172.16.0.1");
  await wild.output("ip link set eth0 down");
  const [, reached = "0"] = [...ping.stdout.matchAll(/icmp_seq=(\d+) /g)].at(-1) ?? [];
  await ping.waitFor(new RegExp(`icmp_seq=${Number(reached) + 10} `));
  expect(state()).toEqual(before);
  await ping.kill("SIGINT");
  expect((await ping.ended()).stdout).toContain(" 0% packet loss");
  await Promise.all([wild.exit(), calm.exit()]);
});

test("when the containers have ended, the bridge is as init made it", async () => {
  using lab = Lab.create();
  expect(lab.skdocker("run", "--rm", "busybox", "true").code).toBe(0);
  const before = await lab.settled();
  const shells = [new ContainerShell(lab), new ContainerShell(lab)];
  for (const shell of shells) await shell.reaches("baidu.com");
  expect(difference(before, lab.snapshot()).filter((line) => line.startsWith("+ links"))).toHaveLength(2);
  for (const shell of shells) await shell.exit();
  await lab.unchanged(before);
});
