/** The host's other links and routes, before and after the first start: ways out, ranges, segment sizes, and no router. */
import { expect, test } from "bun:test";
import { Lab, until } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";

/** A second network beside the internet: reached over eth1, with a neighbour on 10.0.25.1 who sends all back here. */
const SECOND_UPLINK = `ip netns add lan; ip link add eth1 type veth peer name lan0 netns lan
  ip address add 10.0.25.5/24 dev eth1; ip link set eth1 up
  ip -n lan address add 10.0.25.1/24 dev lan0; ip -n lan link set lan0 up; ip -n lan route add default via 10.0.25.5`;

const QUIET = { code: 0, stderr: "" };

const ping = (lab: Lab, target: string, ...flags: string[]) =>
  lab.skdocker("run", "--rm", ...flags, "busybox", "ping", "-c1", "-W2", target);

/** How often a start read rules, which it does only when it looks at everything. */
function looksOf(lab: Lab, network: string): number {
  const { stderr } = lab.run([lab.binary, "run", "--rm", "--network", network, "busybox", "true"], {
    env: { SKDOCKER_TRACE: "netlink,nft" },
  });
  return stderr.match(/NFT_MSG_GETRULE/g)?.length ?? 0;
}

test("a link that comes up after the first start is a way out for the next one, and for those that run", async () => {
  using lab = Lab.create();
  const running = new ContainerShell(lab);
  expect(await running.reaches(lab.internetAddress)).toBe(true);
  lab.shell(SECOND_UPLINK);
  expect(ping(lab, "10.0.25.1")).toMatchObject(QUIET);
  expect(await running.reaches("10.0.25.1")).toBe(true);
  expect(ping(lab, "10.0.25.1", "--network", "ptp")).toMatchObject(QUIET);
  expect(lab.run(["ip", "netns", "exec", "lan", "ping", "-c1", "-W1", lab.internetAddress]).code).not.toBe(0);
  await running.exit();
});

test("what leaves by any link has that link's address, also where a rule of routing sends it there", async () => {
  using lab = Lab.create();
  lab.shell(SECOND_UPLINK);
  lab.shell("ip -n lan address add 9.9.9.9/32 dev lo; ip -n lan link set lo up");
  lab.shell("ip route add 9.9.9.9 via 10.0.25.1 table 100; ip rule add to 9.9.9.9 lookup 100");
  const shell = new ContainerShell(lab);
  await shell.address();
  const capture = lab.spawn(["ip", "netns", "exec", "lan", "tcpdump", "-Z", "root", "-nli", "lan0", "icmp"]);
  await capture.waitFor(/listening on/);
  for (const target of ["9.9.9.9", "10.0.25.1"]) {
    expect(await shell.reaches(target)).toBe(true);
    await capture.waitFor(new RegExp(`10\\.0\\.25\\.5 > ${target.replaceAll(".", "\\.")}: ICMP echo request`));
  }
  expect(capture.stdout).not.toContain("172.16.");
  await shell.exit();
});

test("a link that gets another name goes on forwarding for containers alone, and purge turns it off again", () => {
  using lab = Lab.create();
  lab.shell(SECOND_UPLINK);
  lab.internet("ip", "route", "add", "10.0.25.0/24", "via", lab.hostAddress);
  expect(ping(lab, "10.0.25.1")).toMatchObject(QUIET);
  lab.shell("ip link set eth1 down; ip link set eth1 name wan1; ip link set wan1 up");
  expect(ping(lab, "10.0.25.1")).toMatchObject(QUIET);
  expect(lab.output(["nft", "list", "set", "inet", "skdocker", "routed"])).toContain(`"wan1"`);
  expect(lab.run(["ip", "netns", "exec", "lan", "ping", "-c1", "-W1", lab.internetAddress]).code).not.toBe(0);
  expect(lab.skdocker("net", "reset", "--purge")).toMatchObject(QUIET);
  for (const link of ["eth0", "wan1"]) expect(lab.sysctl(`net.ipv4.conf.${link}.forwarding`)).toBe("0");
});

test("a route into the range that appears later is told at every start, and after a purge another range is taken", () => {
  using lab = Lab.create();
  expect(ping(lab, lab.internetAddress)).toMatchObject(QUIET);
  lab.shell("ip route add 172.16.5.0/24 via 10.0.24.1");
  for (const _ of ["found", "remembered"]) {
    expect(ping(lab, lab.internetAddress)).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^skdocker: [^\n]* route to 172\.16\.5\.0\/24 over "eth0" leads into [^\n]*\n$/),
    });
  }
  expect(lab.skdocker("net", "reset", "--purge").code).toBe(0);
  expect(ping(lab, lab.internetAddress)).toMatchObject(QUIET);
  expect(lab.ip("address", "show", "skbr0")[0].addr_info[0].local).toBe("172.20.0.1");
});

test("where the host has routes into every range, the start is refused in one sentence and changes nothing", async () => {
  using lab = Lab.create();
  for (const range of ["172.16.0.0/12", "10.0.0.0/8", "192.168.0.0/16"]) {
    lab.shell(`ip route add ${range} via 10.0.24.1`);
  }
  const before = lab.snapshot();
  for (const network of ["bridge", "ptp"]) {
    const { code, stderr } = lab.skdocker("run", "--rm", "--network", network, "busybox", "true");
    expect([code, stderr]).toEqual([
      125,
      expect.stringMatching(/^skdocker: No range of addresses is left for [^\n]*\n$/),
    ]);
  }
  await lab.unchanged(before, { except: /files|cgroups/ });
  expect(lab.skdocker("run", "--rm", "--network", "none", "busybox", "true").code).toBe(0);
});

test("large transfers pass a narrower link although nobody hears that packets are too big", async () => {
  using lab = Lab.create();
  const shell = new ContainerShell(lab);
  await shell.address();
  lab.shell(`ip link set eth0 mtu 1300
    nft add table inet deaf; nft 'add chain inet deaf out { type filter hook output priority 0; }'
    nft add rule inet deaf out icmp type destination-unreachable drop`);
  lab.shell(`head -c 1000000 /dev/zero >${lab.directory}/www/big`);
  expect(await shell.output("wget -q -O- http://baidu.com/big | wc -c")).toBe("1000000\n");
  const receive = "busybox nc -l -p 7001 | wc -c";
  const server = lab.spawn(["nsenter", "--net=/run/netns/internet", "--", "sh", "-c", receive], { stdin: "pipe" });
  await until("the server", () => lab.internet("ss", "-ltnH").stdout.includes(":7001"));
  await shell.output(`head -c 1000000 /dev/zero | nc ${lab.internetAddress} 7001`);
  expect((await server.ended()).stdout).toBe("1000000\n");
  await shell.exit();
});

test("what one container changes of the rules is no reason for the next start to look at everything", () => {
  using lab = Lab.create();
  for (const network of ["bridge", "ptp"]) expect(looksOf(lab, network)).toBeGreaterThan(0);
  for (const network of ["ptp", "bridge", "ptp", "ptp", "bridge"]) {
    expect([network, looksOf(lab, network)]).toEqual([network, 0]);
  }
  lab.shell("nft add table inet mine");
  expect(looksOf(lab, "ptp")).toBeGreaterThan(0);
  lab.shell("ip route add 203.0.113.0/24 via 10.0.24.1");
  expect(looksOf(lab, "bridge")).toBeGreaterThan(0);
  expect(looksOf(lab, "bridge")).toBe(0);
});

test("net init makes the network once: a second call sends the kernel no change at all", async () => {
  using lab = Lab.create();
  expect(lab.skdocker("net", "init")).toMatchObject(QUIET);
  const before = await lab.settled();
  const monitors = [
    lab.spawn(["ip", "monitor", "link", "address", "route", "neigh", "netconf"]),
    lab.spawn(["nft", "monitor"]),
  ];
  lab.shell("ip link add mark0 type bridge; nft add table ip mark0"); // seen: they listen
  await monitors[0]?.waitFor(/mark0/);
  await until("nft to listen", () => {
    lab.shell("nft add table ip mark1; nft delete table ip mark1");
    return monitors[1]?.stdout.includes("mark1") === true;
  });
  lab.shell("ip link delete mark0; nft delete table ip mark0; nft add table ip mark2; nft delete table ip mark2");
  await monitors[0]?.waitFor(/Deleted [^]*mark0/);
  await monitors[1]?.waitFor(/delete table ip mark2/);
  const seen = monitors.map((monitor) => monitor.stdout.length);
  for (const verb of [["net", "init"], ["net", "reset"], ["network", "init"]]) {
    expect(lab.skdocker(...verb)).toMatchObject(QUIET);
  }
  lab.shell("ip link add mark9 type bridge; ip link delete mark9; nft add table ip mark9; nft delete table ip mark9");
  await monitors[0]?.waitFor(/mark9/);
  await monitors[1]?.waitFor(/add table ip mark9/);
  const since = monitors.map((monitor, index) => monitor.stdout.slice(seen[index]));
  expect(since[0]?.split("\n").filter((line) => /skbr0|eth0/.test(line))).toEqual([]);
  expect(since[1]).not.toContain("skdocker");
  lab.expectUnchanged(before, { except: /processes: (ip|nft) .*monitor/ });
});

test("services on the host's loopback are out of a container's reach, whatever it sends where", async () => {
  using lab = Lab.create();
  lab.spawn(["busybox", "httpd", "-f", "-p", "127.0.0.1:8080", "-h", lab.directory]);
  await until("the service", () => lab.run(["ss", "-ltnH"]).stdout.includes("127.0.0.1:8080"));
  for (const network of ["bridge", "ptp"]) {
    const shell = new ContainerShell(lab, "--network", network, "--cap-add", "NET_ADMIN");
    const gateway = /via (\S+)/.exec(await shell.output("ip route"))?.[1];
    await shell.output(`ip address flush dev lo; ip route flush table local 127.0.0.0/8 2>/dev/null
      ip route add 127.0.0.0/8 via ${gateway}`);
    for (const target of ["127.0.0.1", "127.8.8.8"]) {
      const { code } = await shell.type(`timeout 2 nc ${target} 8080 </dev/null`);
      expect([network, target, code === 0]).toEqual([network, target, false]);
    }
    await shell.exit();
  }
  for (const link of ["all", "default", "skbr0"]) expect(lab.sysctl(`net.ipv4.conf.${link}.route_localnet`)).toBe("0");
});
