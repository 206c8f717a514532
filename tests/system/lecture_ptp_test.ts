/** The lecture's third network: one veth pair between the host and a container, and what each further step brings. */
import { expect, test } from "bun:test";
import { Lab } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";

const INTERNET = "220.181.38.152";
const HOST = "10.0.24.5";

test("host and container reach each other over the pair", async () => {
  using lab = Lab.create();
  const shell = new ContainerShell(lab, "--network", "ptp");
  const address = await shell.address();
  expect(lab.run(["ping", "-c1", "-W2", address]).code).toBe(0);
  const gateway = /via (\S+)/.exec(await shell.output("ip route"))?.[1] ?? "";
  expect(await shell.reaches(gateway)).toBe(true);
  expect(await shell.exit()).toBe(0);
});

test("before a gateway there is one route and the host's other address is unreachable; with it two, and it answers", async () => {
  using lab = Lab.create();
  const without = new ContainerShell(lab, "--network", "ptp,gateway=off");
  expect((await without.output("ip route")).trim().split("\n")).toHaveLength(1);
  expect((await without.type(`ping -c 1 -W 1 ${HOST}`)).output).toContain("Network is unreachable");
  await without.exit();
  const shell = new ContainerShell(lab, "--network", "ptp");
  expect((await shell.output("ip route")).trim().split("\n")).toHaveLength(2);
  expect(await shell.reaches(HOST)).toBe(true);
  expect((await shell.type("ping -c 2 -W 1 10.24.0.5")).output).toContain("100% packet loss");
  await shell.exit();
});

test("without masquerading the outside is silent, with it the outside answers", async () => {
  using lab = Lab.create();
  const without = new ContainerShell(lab, "--network", "ptp,masquerade=off");
  expect((await without.type(`ping -c 1 -W 1 ${INTERNET}`)).output).toContain("100% packet loss");
  await without.exit();
  const shell = new ContainerShell(lab, "--network", "ptp");
  expect(await shell.reaches(INTERNET)).toBe(true);
  expect(await shell.reaches("baidu.com")).toBe(true);
  await shell.exit();
});

test("the lecture's own commands, typed by hand on both sides, lead to the same place", async () => {
  using lab = Lab.create();
  const shell = new ContainerShell(lab, "--network", "none,lo=down", "--cap-add", "NET_ADMIN");
  const pid = await shell.labPid();
  lab.shell(`ip link add veth0 type veth peer name veth1; ip link set veth1 netns ${pid}
    ip address add 10.10.0.1/24 dev veth0; ip link set veth0 up`);
  await shell.output("ip address add 10.10.0.2/24 dev veth1; ip link set veth1 up; ip link set lo up");
  expect(await shell.reaches("10.10.0.1")).toBe(true);
  expect((await shell.type(`ping -c 1 -W 1 ${HOST}`)).output).toContain("Network is unreachable");
  await shell.output("ip route add default via 10.10.0.1");
  expect(await shell.reaches(HOST)).toBe(true);
  lab.shell("sysctl -qw net.ipv4.ip_forward=1");
  expect(await shell.reaches(INTERNET)).toBe(false);
  lab.shell(`nft add table ip byhand
    nft 'add chain ip byhand post { type nat hook postrouting priority srcnat; }'
    nft add rule ip byhand post ip saddr 10.10.0.0/24 oifname eth0 masquerade`);
  expect(await shell.reaches(INTERNET)).toBe(true);
  await shell.exit();
});

test("when its container ends, the pair is gone, and the next one starts anew", async () => {
  using lab = Lab.create();
  lab.skdocker("run", "--rm", "--network", "ptp", "busybox", "true");
  const before = await lab.settled();
  expect(lab.skdocker("run", "--rm", "--network", "ptp", "busybox", "ping", "-c1", "-W2", INTERNET).code).toBe(0);
  await lab.unchanged(before);
});
