/** The lab itself, without skdocker: that what the other system tests stand on is true. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { difference, Lab } from "../lab.ts";

test("the host reaches the internet's address and its names, and other names do not exist", () => {
  using lab = Lab.create();
  expect(lab.run(["ping", "-c1", "-W2", "220.181.38.152"]).code).toBe(0);
  expect(lab.run(["ping", "-c1", "-W2", "baidu.com"]).stdout).toContain("220.181.38.152");
  expect(lab.run(["busybox", "wget", "-q", "-O-", "http://baidu.com/"]).stdout).toBe("the internet says hello\n");
  const unknown = lab.run(["dig", "+tries=1", "nowhere.example"]);
  expect(unknown.stdout).toContain("status: NXDOMAIN");
  expect(lab.run(["dig", "+tcp", "+short", "baidu.com"]).stdout).toBe("220.181.38.152\n");
});

test("the internet knows no way back to container ranges", () => {
  using lab = Lab.create();
  lab.shell("ip address add 172.16.0.9/32 dev lo");
  expect(lab.run(["ping", "-c1", "-W1", "-I", "172.16.0.9", "220.181.38.152"]).stdout).toContain("100% packet loss");
});

test("the host has one link beside lo, forwards nothing, and has no rules", () => {
  using lab = Lab.create({ mtu: 1400 });
  const links = lab.ip("link", "show");
  expect(links.map((link) => `${link.ifname} ${link.mtu}`)).toEqual(["lo 65536", "eth0 1400"]);
  expect(lab.sysctl("net.ipv4.ip_forward")).toBe("0");
  expect(lab.nft().filter((item) => !("metainfo" in item))).toEqual([]);
  expect(lab.shell("ls /sys/class/net").split("\n").sort()).toContain("eth0");
  expect(lab.shell("echo /proc/[0-9]*").split(" ").length).toBeLessThan(10);
});

test("two labs side by side don't see each other", () => {
  using one = Lab.create();
  using two = Lab.create();
  one.shell("ip link add br0 type bridge; touch /run/x /var/lib/skdocker/x");
  expect(two.ip("link", "show").length).toBe(2);
  expect(two.run(["ls", "/run/x", "/var/lib/skdocker/x"]).code).not.toBe(0);
  const hierarchy = one.shell("ls -d /sys/fs/cgroup/*/ 2>/dev/null | head -n 1").trim() || "/sys/fs/cgroup";
  one.shell(`mkdir ${hierarchy}/mine`);
  expect(two.run(["ls", `${hierarchy}/mine`]).code).not.toBe(0);
});

test("a snapshot equals the next one, and names what has changed", () => {
  using lab = Lab.create();
  const before = lab.snapshot();
  lab.run(["ping", "-c1", "220.181.38.152"]);
  lab.expectUnchanged(before);
  expect(Object.values(before).every((lines) => Array.isArray(lines))).toBe(true);
  lab.shell(
    "ip link add br9 type bridge; nft add table ip mine; sysctl -qw net.ipv4.ip_forward=1; mkdir -p /run/skdocker/a",
  );
  lab.shell("mount -t tmpfs none /run/skdocker/a; ip route add blackhole 192.0.2.0/24");
  lab.spawn(["sleep", "100"]);
  const changes = difference(before, lab.snapshot());
  for (const section of ["links", "nft", "sysctls", "files", "mounts", "routes"]) {
    expect(changes.some((line) => line.startsWith(`+ ${section}: `))).toBe(true);
  }
  expect(changes).toContain("- sysctls: /proc/sys/net/ipv4/ip_forward:0");
  expect(changes).toContain("+ processes: sleep sleep 100");
});

test("commands are run with stdin, environment, directory, terminal and time limit", async () => {
  using lab = Lab.create();
  expect(lab.run(["cat"], { stdin: "abc" }).stdout).toBe("abc");
  expect(lab.run(["sh", "-c", "echo $A; pwd; exit 7"], { env: { A: "b" }, cwd: "/etc" })).toEqual({
    code: 7,
    stdout: "b\n/etc\n",
    stderr: "",
  });
  expect(lab.run(["sh", "-c", "kill -9 $$"]).code).toBe(137);
  expect(lab.run(["test", "-t", "1"]).code).toBe(1);
  expect(lab.run(["sh", "-c", "test -t 1 && stty size"], { tty: true }).code).toBe(0);
  expect(() => lab.run(["sleep", "20"], { timeout: 300 })).toThrow("sleep 20 did not end within 0.3 s");
  const terminal = lab.terminal(["sh", "-c", "read line; stty size; echo got $line"], { cols: 90, rows: 20 });
  terminal.type("hello\n");
  await terminal.waitFor(/20 90\r\ngot hello/);
  expect((await terminal.ended()).code).toBe(0);
});

test("a background process has its output, its pid in the lab and its end", async () => {
  using lab = Lab.create();
  const cat = lab.spawn(["cat"], { stdin: "pipe" });
  cat.write("one\n");
  await cat.waitFor(/one/);
  expect(lab.shell(`cat /proc/${await cat.labPid()}/comm`)).toBe("cat\n");
  await cat.kill("SIGKILL");
  expect((await cat.ended()).code).toBe(137);
});

test("nothing of a lab is left when it ends", () => {
  let directory = "";
  {
    using lab = Lab.create();
    directory = lab.directory;
    lab.spawn(["sleep", "1000"]);
    lab.shell("mkdir -p /sys/fs/cgroup/*/deep 2>/dev/null || true");
  }
  expect(existsSync(directory)).toBe(false);
  const mine = `sklab-${process.pid}-`;
  const cgroups = ["", ...readdirSync("/sys/fs/cgroup")].flatMap((hierarchy) => {
    const path = `/sys/fs/cgroup/${hierarchy}`;
    return existsSync(`${path}/cgroup.procs`) ? readdirSync(path) : [];
  });
  expect(cgroups.filter((name) => name.startsWith(mine))).toEqual([]);
  expect(Bun.spawnSync(["pgrep", "-f", directory]).stdout.toString()).toBe("");
});

test("a capture sees the packets on a link", async () => {
  using lab = Lab.create();
  const capture = await lab.tcpdump(["-i", "wan0", "icmp"], { internet: true });
  lab.run(["ping", "-c1", "10.0.24.1"]);
  await capture.waitFor(/10\.0\.24\.5 > 10\.0\.24\.1: ICMP echo request/);
});
