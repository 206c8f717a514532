/** The lecture's first network: none at all. */
import { expect, test } from "bun:test";
import { Lab } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";

const ALONE = ["run", "--rm", "--network", "none,lo=down"];

test("without a network names are bad addresses, and addresses unreachable, its own too", () => {
  using lab = Lab.create();
  const name = lab.skdocker(...ALONE, "busybox", "ping", "-c", "1", "baidu.com");
  expect(name.code).not.toBe(0);
  expect(name.stderr).toContain("bad address 'baidu.com'");
  for (const address of ["220.181.38.152", "127.0.0.1"]) {
    const done = lab.skdocker(...ALONE, "busybox", "ping", "-c", "1", "-W", "1", address);
    expect(done.code).not.toBe(0);
    expect(done.stderr).toContain("Network is unreachable");
  }
});

test("with lo=down lo is the only link, and down; without the option it is up", () => {
  using lab = Lab.create();
  const down = lab.skdocker(...ALONE, "busybox", "ip", "address").stdout;
  expect(down.match(/^\d+: .*$/gm)).toHaveLength(1);
  expect(down).toStartWith("1: lo: <LOOPBACK> ");
  expect(down).not.toContain("inet");
  const up = lab.skdocker("run", "--rm", "--network", "none", "busybox", "ip", "address").stdout;
  expect(up).toMatch(/^1: lo: <LOOPBACK,UP,LOWER_UP>/);
  expect(up).toContain("inet 127.0.0.1/8");
});

test("with NET_ADMIN, ip link set lo up typed inside makes 127.0.0.1 answer; without, it is refused", async () => {
  using lab = Lab.create();
  const shell = new ContainerShell(lab, "--network", "none,lo=down", "--cap-add", "NET_ADMIN");
  expect(await shell.reaches("127.0.0.1")).toBe(false);
  await shell.output("ip link set lo up");
  expect(await shell.reaches("127.0.0.1")).toBe(true);
  expect(await shell.exit()).toBe(0);
  const refused = lab.skdocker(...ALONE, "busybox", "ip", "link", "set", "lo", "up");
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("Operation not permitted");
});

test("tcpdump on lo shows the container's packets to itself", async () => {
  using lab = Lab.create();
  const shell = new ContainerShell(lab, "--network", "none");
  const capture = await lab.tcpdump(["-i", "lo", "icmp"], { labPid: await shell.labPid() });
  expect(await shell.reaches("127.0.0.1")).toBe(true);
  await capture.waitFor(/127\.0\.0\.1 > 127\.0\.0\.1: ICMP echo request/);
  await capture.waitFor(/127\.0\.0\.1 > 127\.0\.0\.1: ICMP echo reply/);
  expect(await shell.exit()).toBe(0);
});

test("a container without a network leaves nothing on the host, while it runs and afterwards", async () => {
  using lab = Lab.create();
  lab.skdocker("run", "--rm", "--network", "none", "busybox", "true");
  const before = await lab.settled();
  const shell = new ContainerShell(lab, "--network", "none");
  await shell.output("true");
  expect(lab.ip("link", "show").map((link) => link.ifname)).toEqual(["lo", "eth0"]);
  await shell.exit();
  await lab.unchanged(before);
});
