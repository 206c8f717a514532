/**
 * The planned firewall against real packets, with bridge-nf-call-iptables 0 and 1. Needs root.
 *
 *   c1, c2 ── skbr0 172.16.0.1/16 ┐
 *   p1 ── veth1 (masqueraded)     ├ host ── eth0 10.0.24.5/24 ── out 10.0.24.1 (knows routes to all of them)
 *   p2 ── veth2 (not)             ┘     └── eth1 10.0.25.5/24 ── far 10.0.25.2
 *
 * ip_forward is 0; eth0, skbr0, veth1 and veth2 forward by their own flags, as skdocker sets them.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";

const DRIVER = join(import.meta.dir, "kernel_nftables_driver.ts");
const HOSTS = ["host", "c1", "c2", "p1", "p2", "out", "far"] as const;
type Host = (typeof HOSTS)[number];

const namespace = (host: Host) => `skfw-${process.pid}-${host}`;

function sh(script: string): string {
  const names = HOSTS.map((host) => `${host}=${namespace(host)}`).join("; ");
  const { exitCode, stdout, stderr } = Bun.spawnSync(["sh", "-ec", `${names}\n${script}`]);
  if (exitCode !== 0) throw new Error(`${script}: ${stderr.toString()}`);
  return stdout.toString();
}

function on(host: Host, script: string): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command(host, script));
  if (exitCode !== 0) throw new Error(`${script}: ${stderr.toString()}`);
  return stdout.toString();
}

function command(host: Host, script: string): string[] {
  return ["ip", "netns", "exec", namespace(host), "sh", "-ec", script];
}

function reaches(from: Host, address: string): boolean {
  return Bun.spawnSync(command(from, `ping -q -c 1 -W 1 ${address}`)).exitCode === 0;
}

function drive(scenario: string): void {
  on("host", `${process.execPath} ${DRIVER} ${scenario}`);
}

/** Those of the pairs whose first does reach the second; all are tried at once, since silence takes a second. */
async function reaching(pairs: readonly (readonly [Host, string])[]): Promise<(readonly [Host, string])[]> {
  const pings = pairs.map(([from, to]) => Bun.spawn(command(from, `ping -q -c 1 -W 1 ${to} >/dev/null`)));
  const codes = await Promise.all(pings.map((ping) => ping.exited));
  return pairs.filter((_, index) => codes[index] === 0);
}

/** Packets a spy's counter has seen: the spy is a table of the test's own. */
function spied(host: Host): number[] {
  return [...on(host, "nft list table inet spy").matchAll(/packets (\d+)/g)].map(([, packets]) => Number(packets));
}

function buildWorld(bridgeNetfilter: 0 | 1): void {
  sh(`
    for each in ${HOSTS.map((host) => `$${host}`).join(" ")}; do
      ip netns add $each; ip -n $each link set lo up
      # A namespace inherits the machine's own settings.
      ip netns exec $each sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
    done
    ip -n $host link add skbr0 type bridge
    ip -n $host address add 172.16.0.1/16 dev skbr0; ip -n $host link set skbr0 up
    for n in 2 3; do
      container=$c1; if [ $n = 3 ]; then container=$c2; fi
      ip -n $host link add vb$n type veth peer name eth0 netns $container
      ip -n $host link set vb$n master skbr0 up
      ip -n $container address add 172.16.0.$n/16 dev eth0; ip -n $container link set eth0 up
      ip -n $container route add default via 172.16.0.1
    done
    for n in 1 2; do
      container=$p1; if [ $n = 2 ]; then container=$p2; fi
      ip -n $host link add veth$n type veth peer name eth0 netns $container
      ip -n $host address add 10.201.0.1/32 dev veth$n; ip -n $host link set veth$n up
      ip -n $host route add 10.201.0.1$n/32 dev veth$n
      ip -n $container address add 10.201.0.1$n/32 dev eth0; ip -n $container link set eth0 up
      ip -n $container route add 10.201.0.1 dev eth0
      ip -n $container route add default via 10.201.0.1
    done
    ip -n $host link add eth0 type veth peer name eth0 netns $out
    ip -n $host link add eth1 type veth peer name eth0 netns $far
    ip -n $host address add 10.0.24.5/24 dev eth0; ip -n $host link set eth0 up
    ip -n $host address add 10.0.25.5/24 dev eth1; ip -n $host link set eth1 up
    ip -n $out address add 10.0.24.1/24 dev eth0; ip -n $out link set eth0 up
    ip -n $far address add 10.0.25.2/24 dev eth0; ip -n $far link set eth0 up
    for net in 172.16.0.0/16 10.201.0.0/16 10.0.25.0/24; do ip -n $out route add $net via 10.0.24.5; done
    ip -n $far route add default via 10.0.25.5
    for link in eth0 skbr0 veth1 veth2; do ip netns exec $host sysctl -qw net.ipv4.conf.$link.forwarding=1; done
    ip netns exec $host sysctl -qw net.bridge.bridge-nf-call-iptables=${bridgeNetfilter}`);
  drive("firewall");
}

function destroyWorld(): void {
  for (const host of HOSTS) Bun.spawnSync(["ip", "netns", "delete", namespace(host)]);
}

for (const bridgeNetfilter of [0, 1] as const) {
  describe(`with bridge-nf-call-iptables=${bridgeNetfilter}`, () => {
    beforeAll(() => buildWorld(bridgeNetfilter));
    afterAll(destroyWorld);

    test("containers reach one another, their host and the outside", () => {
      expect(reaches("c1", "172.16.0.3"), "the other on the bridge").toBe(true);
      expect(reaches("p1", "10.201.0.12"), "the other ptp").toBe(true);
      for (const from of ["c1", "p1", "p2"] as const) {
        expect(reaches(from, "10.0.24.5"), `${from} → host`).toBe(true);
        expect(reaches(from, "10.0.24.1"), `${from} → outside`).toBe(true);
      }
      expect(reaches("host", "172.16.0.2")).toBe(true);
      expect(reaches("host", "10.201.0.11")).toBe(true);
    });

    test("nobody from outside reaches them, though it knows the way, and networks are kept apart", async () => {
      const pairs = [
        ...(["172.16.0.2", "10.201.0.11", "10.201.0.12"] as const).map((to) => ["out", to] as const),
        ["c1", "10.201.0.11"],
        ["p1", "172.16.0.2"],
      ] as const;
      expect(await reaching(pairs)).toEqual([]);
      drive("remove");
      expect(await reaching(pairs), "without the firewall it is open").toEqual([...pairs]);
      drive("firewall");
    });

    test("the host becomes no router", () => {
      on("host", "sysctl -qw net.ipv4.conf.eth1.forwarding=1"); // so that an answer would come back
      expect(reaches("out", "10.0.25.2")).toBe(false);
      drive("remove");
      expect(reaches("out", "10.0.25.2"), "without the firewall it is one").toBe(true);
      drive("firewall");
      on("host", "sysctl -qw net.ipv4.conf.eth1.forwarding=0");
    });

    test("what is masqueraded leaves under the host's address, what is not under its own", () => {
      on(
        "out",
        `nft 'add table inet spy; add chain inet spy i { type filter hook input priority 0; }
        add rule inet spy i ip saddr 172.16.0.0/16 counter; add rule inet spy i ip saddr 10.201.0.11 counter
        add rule inet spy i ip saddr 10.201.0.12 counter; add rule inet spy i ip saddr 10.0.24.5 counter'`,
      );
      for (const from of ["c1", "p1", "p2"] as const) reaches(from, "10.0.24.1");
      expect(spied("out")).toEqual([0, 0, 1, 2]);
      on("out", "nft delete table inet spy");
    });

    test("a forged source reaches neither the host nor the outside", () => {
      const spy = (host: Host) =>
        on(
          host,
          `nft 'add table inet spy; add chain inet spy i { type filter hook input priority 10; }
          add rule inet spy i ip saddr 10.0.24.99 counter'`,
        );
      spy("host");
      spy("out");
      on("c1", "ip address add 10.0.24.99/32 dev eth0");
      on("p2", "ip address add 10.0.24.99/32 dev eth0");
      const forge = (from: Host, to: string) => Bun.spawnSync(command(from, `ping -q -c 1 -W 1 -I 10.0.24.99 ${to}`));
      forge("c1", "172.16.0.1");
      forge("p2", "10.0.24.1");
      expect([spied("host"), spied("out")]).toEqual([[0], [0]]);
      drive("remove");
      forge("c1", "172.16.0.1");
      forge("p2", "10.0.24.1");
      expect([spied("host"), spied("out")], "without the firewall it would").toEqual([[1], [1]]);
      drive("firewall");
      on("host", "nft delete table inet spy");
      on("out", "nft delete table inet spy");
    });

    test("connections announce segments that the uplink takes", () => {
      sh("ip -n $host link set eth0 mtu 1300");
      on(
        "out",
        `nft 'add table inet spy; add chain inet spy i { type filter hook input priority 0; }
        add rule inet spy i tcp flags syn tcp option maxseg size 1260 counter
        add rule inet spy i tcp flags syn tcp option maxseg size 1460 counter'`,
      );
      Bun.spawnSync(command("c1", "busybox nc -w 1 10.0.24.1 7 </dev/null"));
      expect(spied("out")).toEqual([1, 0]);
      on("out", "nft delete table inet spy");
      sh("ip -n $host link set eth0 mtu 1500");
    });

    test("the firewall made anew again and again, no connection breaks and no packet is lost", async () => {
      const file = `/tmp/${namespace("out")}`;
      const server = Bun.spawn(command("out", `sleep 3 | timeout 20 busybox nc -l -p 7000 > ${file}`));
      await Bun.sleep(100);
      const lines = Array.from({ length: 100 }, (_, index) => `echo ${index}; sleep 0.01`).join("; ");
      const client = Bun.spawn(command("c1", `(${lines}) | timeout 20 busybox nc 10.0.24.1 7000`));
      const ping = Bun.spawn(command("c1", "ping -q -i 0.01 -c 150 10.0.24.1"), { stdout: "pipe" });
      for (let i = 0; i < 10; i++) drive("rebuild");
      expect(await ping.exited).toBe(0);
      expect(await new Response(ping.stdout).text()).toContain(" 0% packet loss");
      await client.exited;
      await server.exited;
      expect(sh(`wc -l < ${file}; rm ${file}`).trim()).toBe("100");
    }, 30_000);

    test("a user's drop in the user's table is final", () => {
      on(
        "host",
        `nft 'add table inet skdocker-user
        add chain inet skdocker-user forward { type filter hook forward priority -5; }
        add rule inet skdocker-user forward iifname skbr0 oifname eth0 drop'`,
      );
      expect(reaches("c1", "10.0.24.1")).toBe(false);
      on("host", "nft delete table inet skdocker-user");
      expect(reaches("c1", "10.0.24.1")).toBe(true);
    });
  });
}

describe("127.0.0.11 in a container", () => {
  beforeAll(() => sh("ip netns add $c1; ip -n $c1 link set lo up"));
  afterAll(destroyWorld);

  test("is answered by the resolver from port 53, while the container's own port 53 is free", () => {
    on("c1", `${process.execPath} ${DRIVER} resolver`);
    const script = `
      import { createSocket } from "node:dgram";
      import { connect, createServer } from "node:net";
      const heard = [];
      const udp = (address, port, name) => new Promise((done) => {
        const socket = createSocket("udp4");
        socket.on("message", (message, from) => socket.send(name, from.port, from.address));
        socket.bind(port, address, done);
      });
      const tcp = (address, port, name) => new Promise((done) =>
        createServer((socket) => socket.end(name)).listen(port, address, done));
      const askUdp = (address) => new Promise((done) => {
        const socket = createSocket("udp4");
        socket.on("message", (text, from) => { heard.push("udp " + from.address + ":" + from.port + " " + text); done(); });
        socket.send("?", 53, address);
      });
      const askTcp = (address) => new Promise((done) => {
        const socket = connect(53, address);
        socket.on("data", (text) => heard.push("tcp " + socket.remoteAddress + ":" + socket.remotePort + " " + text));
        socket.on("close", done);
      });
      await udp("127.0.0.11", 40053, "resolver");
      await tcp("127.0.0.11", 40054, "resolver");
      await udp("0.0.0.0", 53, "own");
      await tcp("0.0.0.0", 53, "own");
      for (const address of ["127.0.0.11", "127.0.0.1"]) { await askUdp(address); await askTcp(address); }
      console.log(heard.join("\\n"));
      process.exit(0);`;
    const { stdout, stderr } = Bun.spawnSync([
      ...["ip", "netns", "exec", namespace("c1"), "timeout", "10", process.execPath, "-e", script],
    ]);
    expect(stderr.toString()).toBe("");
    expect(stdout.toString().trim().split("\n")).toEqual([
      "udp 127.0.0.11:53 resolver",
      "tcp 127.0.0.11:53 resolver",
      "udp 127.0.0.1:53 own",
      "tcp 127.0.0.1:53 own",
    ]);
  });
});
