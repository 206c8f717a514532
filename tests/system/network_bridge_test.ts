/** The default network through the built binary: who reaches whom, who does not, and what the host's links look like. */
import { expect, test } from "bun:test";
import { difference, Lab, until } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";

/** A second network beside the internet: reached over eth1, with a neighbour on 10.0.25.1. */
const SECOND_UPLINK = `ip netns add lan; ip link add eth1 type veth peer name lan0 netns lan
  ip address add 10.0.25.5/24 dev eth1; ip link set eth1 up
  ip -n lan address add 10.0.25.1/24 dev lan0; ip -n lan link set lan0 up`;

for (const bridgeNetfilter of [0, 1] as const) {
  test(`containers talk to each other, the host and the outside, with bridge-nf-call-iptables ${bridgeNetfilter}`, async () => {
    using lab = Lab.create({ bridgeNetfilter });
    const [one, two] = [new ContainerShell(lab), new ContainerShell(lab)];
    const [first, second] = [await one.address(), await two.address()];
    const tcp = two.output("echo hello | nc -l -p 7000");
    for (const target of [second, "172.16.0.1", lab.hostAddress, lab.internetAddress, "baidu.com"]) {
      expect([target, await one.reaches(target)]).toEqual([target, true]);
    }
    expect(await one.output(`nc ${second} 7000 </dev/null`)).toBe("hello\n");
    await tcp;
    expect(await one.output("wget -q -O- http://baidu.com/")).toBe("the internet says hello\n");
    expect(lab.run(["ping", "-c1", "-W2", first]).code).toBe(0);
    await Promise.all([one.exit(), two.exit()]);
  });
}

test("nobody outside comes in, and the host is no router between its links", async () => {
  using lab = Lab.create();
  lab.shell(SECOND_UPLINK);
  lab.shell("ip -n lan route add default via 10.0.25.5");
  lab.internet("ip", "route", "add", "10.0.25.0/24", "via", lab.hostAddress);
  lab.internet("ip", "route", "add", "172.16.0.0/16", "via", lab.hostAddress);
  const shell = new ContainerShell(lab);
  const address = await shell.address();
  expect(lab.internet("ping", "-c1", "-W1", address).code).not.toBe(0);
  expect(lab.internet("ping", "-c1", "-W1", "10.0.25.1").code).not.toBe(0);
  expect(lab.run(["ip", "netns", "exec", "lan", "ping", "-c1", "-W1", lab.internetAddress]).code).not.toBe(0);
  for (const target of ["10.0.25.1", lab.internetAddress]) expect(await shell.reaches(target)).toBe(true);
  await shell.exit();
});

test("a container cannot speak for another address: neither to the host, nor to the outside", async () => {
  using lab = Lab.create();
  const shell = new ContainerShell(lab, "--cap-add", "NET_ADMIN");
  await shell.output("ip address add 8.8.8.8/32 dev eth0");
  const outside = await lab.tcpdump(["-i", "wan0", "icmp"], { internet: true });
  expect((await shell.type(`ping -c1 -W1 -I 8.8.8.8 ${lab.internetAddress}`)).code).not.toBe(0);
  expect((await shell.type("ping -c1 -W1 -I 8.8.8.8 172.16.0.1")).code).not.toBe(0);
  await outside.kill("SIGINT");
  expect((await outside.ended()).stdout).not.toContain("8.8.8.8");
  await shell.exit();
});

test("the uplink's MTU is everybody's, segments are clamped to it, and the next start follows its change", async () => {
  using lab = Lab.create({ mtu: 1400 });
  const first = new ContainerShell(lab);
  expect(await first.output("cat /sys/class/net/eth0/mtu")).toBe("1400\n");
  expect(lab.ip("link", "show", "skbr0")[0].mtu).toBe(1400);
  lab.shell("ip link set eth0 mtu 1300");
  const capture = await lab.tcpdump(["-i", "wan0", "tcp[tcpflags] & tcp-syn != 0"], { internet: true });
  expect(await first.output("wget -q -O- http://baidu.com/")).toContain("hello");
  await capture.waitFor(/10\.0\.24\.5\.\d+ > 220\.181\.38\.152\.80: Flags \[S\].*mss 1260/);
  const second = new ContainerShell(lab);
  expect(await second.output("cat /sys/class/net/eth0/mtu")).toBe("1300\n");
  expect(lab.ip("link", "show", "skbr0")[0].mtu).toBe(1300);
  await Promise.all([first.exit(), second.exit()]);
});

test("where the administrator makes the host a router, it is one: before the first start, and after", () => {
  for (const when of ["before", "after"]) {
    using lab = Lab.create();
    lab.shell(SECOND_UPLINK);
    lab.shell("ip -n lan route add default via 10.0.25.5");
    lab.internet("ip", "route", "add", "10.0.25.0/24", "via", lab.hostAddress);
    if (when === "after") expect(lab.skdocker("net", "init").code).toBe(0);
    lab.shell("sysctl -qw net.ipv4.ip_forward=1");
    expect(lab.skdocker("run", "--rm", "busybox", "ping", "-c1", "-W2", lab.internetAddress).code).toBe(0);
    const routed = lab.run(["ip", "netns", "exec", "lan", "ping", "-c1", "-W2", lab.internetAddress]);
    expect([when, routed.code]).toEqual([when, 0]);
    lab.shell("sysctl -qw net.ipv4.ip_forward=0");
    expect(lab.skdocker("run", "--rm", "busybox", "ping", "-c1", "-W2", lab.internetAddress).code).toBe(0);
    expect(lab.sysctl("net.ipv4.ip_forward")).toBe("0");
    expect(lab.run(["ip", "netns", "exec", "lan", "ping", "-c1", "-W1", lab.internetAddress]).code).not.toBe(0);
  }
});

test("a host without a default route has a bridge all the same, and the way out is found when there is one", () => {
  using lab = Lab.create();
  lab.shell("ip route del default");
  expect(lab.skdocker("run", "--rm", "busybox", "ping", "-c1", "-W2", "10.0.24.1").code).toBe(0);
  expect(lab.skdocker("run", "--rm", "busybox", "ping", "-c1", "-W1", lab.internetAddress).code).not.toBe(0);
  lab.shell("ip route add default via 10.0.24.1");
  expect(lab.skdocker("run", "--rm", "busybox", "ping", "-c1", "-W2", lab.internetAddress).code).toBe(0);
  lab.shell(SECOND_UPLINK);
  lab.shell("ip route replace default via 10.0.25.1");
  expect(lab.skdocker("run", "--rm", "busybox", "ping", "-c1", "-W2", "10.0.25.1").code).toBe(0);
  expect(lab.sysctl("net.ipv4.conf.eth1.forwarding")).toBe("1");
});

test("a pair's host end is named by the id, wears the container's name, and reflects what comes from it", async () => {
  using lab = Lab.create();
  const shell = new ContainerShell(lab, "--name", "blue");
  const address = await shell.address();
  expect(address).toBe("172.16.0.2");
  const [port] = lab.ip("link", "show", "master", "skbr0");
  expect(port).toMatchObject({ ifalias: "blue", address: "02:54:ac:10:00:02", operstate: "UP" });
  expect(port.ifname).toMatch(/^veth[0-9a-f]{8}$/);
  expect(port.linkinfo.info_slave_data).toMatchObject({ hairpin: true, state: "forwarding" });
  const [bridge] = lab.ip("link", "show", "skbr0");
  expect(bridge.address).toBe("02:52:ac:10:00:01");
  expect(await shell.output("cat /sys/class/net/eth0/address")).toBe("02:53:ac:10:00:02\n");
  for (const link of ["skbr0", port.ifname]) {
    expect(lab.sysctl(`net.ipv6.conf.${link}.disable_ipv6`)).toBe("1");
    expect(lab.sysctl(`net.ipv6.conf.${link}.accept_ra`)).toBe("0");
    expect(lab.sysctl(`net.ipv4.conf.${link}.accept_redirects`)).toBe("0");
    expect(lab.sysctl(`net.ipv4.conf.${link}.send_redirects`)).toBe("0");
  }
  await shell.exit();
});

test("each start announces its address on the bridge", async () => {
  using lab = Lab.create();
  lab.skdocker("net", "init");
  const other = new ContainerShell(lab);
  await other.address();
  const capture = await lab.tcpdump(["-i", "skbr0", "-e", "arp"]);
  const inside = await lab.tcpdump(["-i", "eth0", "-e", "arp"], { labPid: await other.labPid() });
  for (const last of [3, 4, 5]) {
    expect(lab.skdocker("run", "--rm", "busybox", "true").code).toBe(0);
    const announced = new RegExp(`02:53:ac:10:00:0${last} > ff:ff:ff:ff:ff:ff.* 172\\.16\\.0\\.${last}`);
    await capture.waitFor(announced);
    await inside.waitFor(announced);
  }
  await other.exit();
});

test("--ip and --mac-address are had, or refused by a sentence and without a trace", async () => {
  using lab = Lab.create();
  const flags = ["--ip", "172.16.5.6", "--mac-address", "02:00:00:00:00:01"];
  const shell = new ContainerShell(lab, ...flags);
  expect(await shell.address()).toBe("172.16.5.6");
  expect(await shell.output("cat /sys/class/net/eth0/address")).toBe("02:00:00:00:00:01\n");
  const before = await lab.settled();
  const refusals: Record<string, string> = {
    "172.16.5.6": "already in use by container",
    "10.1.2.3": "not in the range 172.16.0.0/16",
    "172.16.0.1": "the host's own",
    "172.16.0.0": "the network's own address",
    "172.16.255.255": "the broadcast address",
    "172.16.0.x": "172.16.0.x",
  };
  for (const [ip, sentence] of Object.entries(refusals)) {
    const { code, stderr } = lab.skdocker("run", "--rm", "--ip", ip, "busybox", "true");
    expect([ip, code]).toEqual([ip, 125]);
    expect(stderr).toContain(sentence);
    expect(stderr.trim().split("\n").filter((line) => !line.includes("--help"))).toHaveLength(1);
  }
  await lab.unchanged(before, { except: /neighbours/ });
  await shell.exit();
});

test("a name gets its address and MAC back, and a stranger another one", () => {
  using lab = Lab.create();
  const look = "ip -4 -o address show eth0; cat /sys/class/net/eth0/address";
  const run = (...flags: string[]) => lab.skdocker("run", "--rm", ...flags, "busybox", "sh", "-c", look).stdout;
  const first = run("--name", "blue", "--mac-address", "02:00:00:00:00:07");
  expect(first).toContain("02:00:00:00:00:07");
  expect(run()).not.toContain("172.16.0.2/");
  expect(run("--name", "blue")).toBe(first);
});

test("where a route overlaps the first range, the next one is taken and kept", () => {
  using lab = Lab.create();
  lab.shell("ip route add 172.16.8.0/24 via 10.0.24.1");
  expect(lab.skdocker("net", "init").code).toBe(0);
  const address = () => lab.ip("address", "show", "skbr0")[0].addr_info[0].local;
  expect(address()).toBe("172.20.0.1");
  lab.shell("ip route del 172.16.8.0/24; ip link del skbr0");
  expect(lab.skdocker("run", "--rm", "busybox", "ping", "-c1", "-W2", lab.internetAddress).code).toBe(0);
  expect(address()).toBe("172.20.0.1");
});

test("a foreign skbr0 is said in a sentence, and left", () => {
  using lab = Lab.create();
  lab.shell("ip link add skbr0 type veth peer name foreign; ip link set skbr0 up");
  const before = lab.snapshot();
  const { code, stderr } = lab.skdocker("run", "--rm", "busybox", "true");
  expect(code).toBe(125);
  expect(stderr).toContain(`There is a link "skbr0" on this host that is not a bridge`);
  lab.expectUnchanged(before, { except: /files|cgroups/ });
  expect(lab.skdocker("net", "reset", "--purge").code).toBe(0);
  lab.expectUnchanged(before, { except: /cgroups/ });
});

test("foreign bridges, tables and addresses stay bit for bit, an address that was added to skbr0 as well", async () => {
  using lab = Lab.create();
  lab.shell(`ip link add br0 type bridge; ip address add 192.168.7.1/24 dev br0; ip link set br0 up
    nft 'table inet theirs {
      set s {
        type ipv4_addr
        elements = { 1.2.3.4 }
      }
      chain c {
        type filter hook forward priority 5; policy accept;
        ip saddr @s counter accept
      }
    }'
    nft add table ip filter`);
  const theirs = () =>
    [lab.snapshot()].map(({ links, addresses, nft }) =>
      [...links ?? [], ...addresses ?? [], ...nft ?? []].filter((line) =>
        /br0"|theirs|"filter"/.test(line) && !/skbr0|skdocker/.test(line)
      )
    )[0];
  const before = theirs();
  expect(lab.skdocker("run", "--rm", "busybox", "true").code).toBe(0);
  lab.shell("ip address add 172.16.9.9/16 dev skbr0; ip address add 10.77.0.1/24 dev skbr0");
  const shell = new ContainerShell(lab);
  expect(await shell.reaches("10.77.0.1")).toBe(true);
  expect(lab.ip("address", "show", "skbr0")[0].addr_info).toHaveLength(3);
  expect(theirs()).toEqual(before);
  await shell.exit();
});

test("one start after another finds the network healthy and changes nothing of it", async () => {
  using lab = Lab.create();
  lab.skdocker("run", "--rm", "busybox", "true");
  const before = await lab.settled();
  const generation = () =>
    /"generation":(\d+)/.exec(lab.output(["cat", `${lab.runRoot}/networks/bridge/state.json`]))?.[1];
  const first = generation();
  for (let i = 0; i < 3; i++) lab.skdocker("run", "--rm", "busybox", "true");
  expect(generation()).toBe(first as string);
  await until("the links to be gone", () => difference(before, lab.snapshot()).length === 0);
});

test("net ls, net inspect and info print what a Go template makes of them", async () => {
  using lab = Lab.create();
  const shell = new ContainerShell(lab, "--name", "web");
  const address = await shell.address();
  const say = (...words: string[]) => lab.output([lab.binary, ...words]);
  expect(say("net", "ls", "--format", "table {{.Name}}\\t{{.Subnet}}\\t{{.Containers}}")).toBe(
    "NAME      SUBNET          CONTAINERS\n" +
      "bridge    172.16.0.0/16   1\nhost                      0\nnone                      0\nptp                       0\n",
  );
  const rows = say("net", "ls", "--format", "json").trimEnd().split("\n").map((line) => JSON.parse(line));
  expect(rows[0]).toMatchObject({ ID: "bridge", Name: "bridge", Driver: "bridge", Scope: "local", Containers: 1 });
  expect(say("net", "ls", "-q", "--format", "{{.Driver}}")).toBe("bridge\nhost\nnone\nptp\n");
  const inspect = (format: string) => say("net", "inspect", "bridge", "-f", format);
  expect(inspect("{{range .Containers}}{{.Name}}={{.IPv4Address}}{{end}}")).toBe(`web=${address}/16\n`);
  expect(inspect("{{(index .IPAM.Config 0).Gateway}} {{.Labels.none}}")).toBe("172.16.0.1 <no value>\n");
  expect(inspect(`{{index .Options "com.docker.network.bridge.name"}}`)).toBe("skbr0\n");
  expect(say("info", "-f", "{{.OSType}} {{.Containers}} {{.KernelFeatures.overlay}}")).toBe("linux 1 present\n");
  await shell.exit();
});
