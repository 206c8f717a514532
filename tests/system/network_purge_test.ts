/** `net reset --purge` through the built binary: the host as if skdocker had never been there. */
import { expect, test } from "bun:test";
import { Lab } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";

test("purge is refused while containers run, --force ends them, and the host is as before the first command", async () => {
  using lab = Lab.create();
  lab.shell("rmdir /run/skdocker 2>/dev/null || true");
  const before = lab.snapshot();
  const shells = [new ContainerShell(lab, "--name", "blue"), new ContainerShell(lab, "--network", "ptp")];
  for (const shell of shells) expect(await shell.reaches("baidu.com")).toBe(true);
  const { code, stderr } = lab.skdocker("net", "reset", "--purge");
  expect([code === 0, stderr]).toEqual([false, expect.stringContaining("2 containers are running")]);
  expect(await shells[0]?.reaches("baidu.com")).toBe(true);
  for (let time = 0; time < 2; time++) {
    expect(lab.skdocker("net", "reset", "--purge", "--force")).toMatchObject({ code: 0, stderr: "" });
    await lab.unchanged(before);
  }
  expect(lab.run(["ls", "-A", "/run/skdocker"]).stdout).toBe("");
  for (const shell of shells) expect((await shell.run.ended()).code).toBe(137);
});

test("what the user wrote into inet skdocker-user stays, rules sets and policies alike", () => {
  for (
    const written of [
      "nft add rule inet skdocker-user forward counter",
      "nft add set inet skdocker-user s '{ type ipv4_addr; }'",
      "nft add chain inet skdocker-user forward '{ policy drop; }'",
      "nft add chain inet skdocker-user mine",
    ]
  ) {
    using lab = Lab.create();
    expect(lab.skdocker("net", "init").code).toBe(0);
    lab.shell(written);
    const table = () => lab.output(["nft", "-s", "list", "table", "inet", "skdocker-user"]);
    const before = table();
    expect(lab.skdocker("net", "reset", "--purge").code).toBe(0);
    expect(table()).toBe(before);
  }
});

test("a parameter the administrator had set stays, one that skdocker had set goes back", () => {
  using lab = Lab.create();
  lab.shell(`ip link add eth1 type veth peer name eth1p; ip address add 10.0.25.5/24 dev eth1; ip link set eth1 up
    ip link set eth1p up; sysctl -qw net.ipv4.conf.eth1.forwarding=1`);
  expect(lab.skdocker("net", "init").code).toBe(0);
  expect(lab.sysctl("net.ipv4.conf.eth0.forwarding")).toBe("1");
  expect(lab.skdocker("net", "reset", "--purge").code).toBe(0);
  expect(lab.sysctl("net.ipv4.conf.eth0.forwarding")).toBe("0");
  expect(lab.sysctl("net.ipv4.conf.eth1.forwarding")).toBe("1");
});

test("whatever was done to host and network in between, purge leaves the host as it was before", async () => {
  for (
    const between of [
      "sysctl -qw net.ipv4.ip_forward=1; sysctl -qw net.ipv4.ip_forward=0",
      "sysctl -qw net.ipv4.conf.eth0.forwarding=0 net.ipv4.conf.skbr0.rp_filter=1",
      "ip link set skbr0 down; ip link set skbr0 name other0",
      "nft flush ruleset",
      "nft add table inet skdocker '{ flags dormant; }'; nft add chain inet skdocker extra",
      "ip link del skbr0; rm -rf /run/skdocker/networks",
    ]
  ) {
    using lab = Lab.create();
    lab.shell("rmdir /run/skdocker 2>/dev/null || true");
    const before = lab.snapshot();
    for (const network of ["bridge", "ptp"]) {
      expect(lab.skdocker("run", "--rm", "--network", network, "busybox", "true").code).toBe(0);
    }
    lab.shell(between);
    for (let time = 0; time < 2; time++) {
      expect([between, lab.skdocker("net", "reset", "--purge")]).toMatchObject([between, { code: 0, stderr: "" }]);
      await lab.unchanged(before);
    }
  }
});

test("what the administrator turned on meanwhile stays: a host that was made a router is left one", () => {
  using lab = Lab.create();
  expect(lab.skdocker("net", "init").code).toBe(0);
  lab.shell("sysctl -qw net.ipv4.ip_forward=1");
  expect(lab.skdocker("net", "reset", "--purge").code).toBe(0);
  expect([lab.sysctl("net.ipv4.ip_forward"), lab.sysctl("net.ipv4.conf.eth0.forwarding")]).toEqual(["1", "1"]);
});

test("purge on a host that never saw skdocker leaves no trace of itself", async () => {
  using lab = Lab.create();
  lab.shell("rmdir /run/skdocker 2>/dev/null || true");
  const before = lab.snapshot();
  expect(lab.skdocker("net", "reset", "--purge")).toMatchObject({ code: 0, stderr: "" });
  await lab.unchanged(before);
});
