/** `net reset` through the built binary: each breakage alone, and what must survive the repair. */
import { expect, test } from "bun:test";
import { Lab, until } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";
import { NETWORK_STATE, parseNetworkState } from "../lab/network_state.ts";

/** What somebody may do to the host; PORT is the first container's host end. */
const HOST_BREAKAGES = [
  "nft delete table inet skdocker",
  "nft flush ruleset",
  "nft insert rule inet skdocker forward drop",
  "nft add element inet skdocker routed '{ \"foreign\" }'",
  "ip address flush dev skbr0",
  "ip address flush dev skbr0; ip address add 172.16.9.9/16 dev skbr0; ip address add 172.16.0.1/16 dev skbr0",
  "ip address add 10.77.0.1/24 dev skbr0",
  "ip route del 172.16.0.0/16 dev skbr0",
  "ip link set skbr0 down",
  "ip link set skbr0 mtu 1280",
  "ip link set skbr0 address 02:00:00:00:00:09",
  "ip link set PORT nomaster",
  "ip link set PORT down",
  "ip link set PORT alias other",
  "bridge link set dev PORT hairpin off",
  "sysctl -qw net.ipv4.conf.skbr0.forwarding=0 net.ipv4.conf.eth0.forwarding=0",
  "sysctl -qw net.ipv4.conf.skbr0.accept_redirects=1 net.ipv6.conf.PORT.disable_ipv6=0 net.ipv4.conf.PORT.send_redirects=1",
];

/** What a container may do to itself. */
const INSIDE_BREAKAGES = [
  "ip address flush dev eth0",
  "ip address add 172.16.77.77/16 dev eth0",
  "ip address flush dev eth0; ip address add 172.16.77.77/16 dev eth0; ip address add 172.16.0.2/16 dev eth0",
  "ip route flush table main",
  "ip link set eth0 down",
  "ip link set lo down",
  "ip route replace default via 172.16.0.99",
];

test(
  "after any one breakage, net reset gives the state of a fresh start, on the host and in the container",
  async () => {
    using lab = Lab.create();
    const [one, two] = [new ContainerShell(lab), new ContainerShell(lab)];
    await one.address();
    await two.address();
    await one.reaches(lab.internetAddress);
    const pid = await one.labPid();
    const [port] = lab.ip("link", "show", "master", "skbr0").filter(({ address }) => address === "02:54:ac:10:00:02");
    const inside = () => {
      const { neigh: _learnt, ...state } = parseNetworkState(lab.netnsOf(pid, ["sh", "-c", NETWORK_STATE]).stdout);
      return state;
    };
    const before = await lab.settled();
    const insideBefore = inside();
    const breakages = [
      ...HOST_BREAKAGES.map((command) => ({ command: command.replaceAll("PORT", port.ifname), argv: ["sh", "-ec"] })),
      ...INSIDE_BREAKAGES.map((command) => ({ command, argv: ["nsenter", "--net", `--target=${pid}`, "sh", "-ec"] })),
    ];
    const failures: string[] = [];
    for (const { command, argv } of breakages) {
      lab.output([...argv, command]);
      try {
        const { code, stderr } = lab.skdocker("net", "reset");
        expect([code, stderr]).toEqual([0, ""]);
        await lab.unchanged(before, { except: /neighbours/, timeout: 1500 });
        await until("the container to be as before", () => Bun.deepEquals(inside(), insideBefore), { timeout: 1500 })
          .catch(() => expect(inside()).toEqual(insideBefore));
        expect(await one.reaches(lab.internetAddress)).toBe(true);
      } catch (error) {
        failures.push(`${command}: ${error instanceof Error ? error.message : error}`);
      }
    }
    expect(failures).toEqual([]);
    await Promise.all([one.exit(), two.exit()]);
  },
  90_000,
);

test("links that were deleted are made anew for each container, bridge and ptp", async () => {
  using lab = Lab.create();
  const shells: ContainerShell[] = [];
  const addresses: string[] = [];
  for (const flags of [[], [], ["--network", "ptp"]]) { // one after another: a bridge numbers its ports as they come
    const shell = new ContainerShell(lab, ...flags);
    shells.push(shell);
    addresses.push(await shell.address());
  }
  const before = await lab.settled();
  lab.shell(
    "for l in $(ip -o link show type veth | grep -o 'veth[0-9a-f]*'); do ip link del $l; done; ip link del skbr0",
  );
  expect(lab.skdocker("net", "reset")).toMatchObject({ code: 0 });
  await lab.unchanged(before, { except: /neighbours/ });
  for (const [index, shell] of shells.entries()) {
    expect(await shell.address()).toBe(addresses[index] as string);
    expect(await shell.reaches("baidu.com")).toBe(true);
  }
  expect(lab.skdocker("net", "reset").code).toBe(0);
  lab.expectUnchanged(before, { except: /neighbours/ });
  for (const shell of shells) await shell.exit();
});

test("an open connection through NAT survives the breakage and the repair", async () => {
  using lab = Lab.create();
  const shell = new ContainerShell(lab);
  await shell.address();
  const server = lab.spawn(["nsenter", "--net=/run/netns/internet", "--", "busybox", "nc", "-l", "-p", "7000"], {
    stdin: "pipe",
  });
  await until("the server to listen", () => lab.internet("ss", "-ltnH").stdout.includes(":7000"));
  await shell.output(`mkfifo /tmp/out; exec 9<>/tmp/out; nc ${lab.internetAddress} 7000 </tmp/out >/tmp/in &
    echo one >/tmp/out`);
  await server.waitFor(/one/);
  lab.shell("nft flush ruleset; ip address flush dev skbr0; ip link set skbr0 down");
  expect(lab.skdocker("net", "reset").code).toBe(0);
  await shell.output("echo two >/tmp/out");
  await server.waitFor(/two/);
  server.write("three\n");
  expect(await shell.output("for i in $(seq 50); do grep three /tmp/in && break; sleep 0.1; done")).toBe("three\n");
  await shell.exit();
});

test("ten starts and five resets at once: all containers have their network, and one look afterwards finds nothing to do", async () => {
  using lab = Lab.create();
  const running = new ContainerShell(lab);
  await running.address();
  const script = "ip -4 -o address show eth0; ping -c 1 -W 2 220.181.38.152 >/dev/null && echo reached";
  const starts = Array.from(
    { length: 10 },
    (_, i) => lab.start("run", "--rm", "--network", i % 3 === 0 ? "ptp" : "bridge", "busybox", "sh", "-c", script),
  );
  const resets = Array.from({ length: 5 }, () => lab.start("net", "reset"));
  for (const reset of resets) expect(await reset.ended()).toMatchObject({ code: 0, stderr: "" });
  const addresses = new Set<string>();
  for (const start of starts) {
    const { code, stdout, stderr } = await start.ended();
    expect([code, stderr, stdout.includes("reached")]).toEqual([0, "", true]);
    addresses.add(/inet ([\d.]+)/.exec(stdout)?.[1] ?? "");
  }
  expect(addresses.size).toBe(10);
  expect(lab.skdocker("net", "reset", "--explain").stderr.trim()).toBe("# 0 steps");
  expect(lab.output(["nft", "list", "set", "inet", "skdocker", "ptp"])).not.toContain("veth");
  expect(await running.reaches(lab.internetAddress)).toBe(true);
  await running.exit();
});

test("what is not skdocker's stays bit for bit: bridges, tables, routes, rules of routing, a container's own things", async () => {
  using lab = Lab.create();
  const shell = new ContainerShell(lab);
  await shell.address();
  const inside = ["nsenter", "--net", `--target=${await shell.labPid()}`, "--", "sh", "-ec"];
  const own = "ip link add own0 type bridge; ip address add 10.9.0.1/24 dev own0; ip address add 10.8.8.8/32 dev lo";
  lab.output([
    ...inside,
    `${own}; nft add table inet own; nft add chain inet own c; ip rule add prio 50 from 10.9.0.0/24 table 99`,
  ]);
  lab.shell(
    `ip link add br0 type bridge; ip link set br0 addrgenmode none; ip address add 192.168.7.1/24 dev br0; ip link set br0 up
    ip link add port0 type veth peer name port1; ip link set port0 master br0; ip link set port0 alias theirs
    ip link add vethcafecafe type veth peer name vethcafecaff; ip route add 203.0.113.0/24 via 10.0.24.1 table 77
    ip rule add prio 77 to 203.0.113.0/24 lookup 77
    nft 'add table inet theirs'; nft 'add set inet theirs s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }'
    nft 'add chain inet theirs c { type filter hook forward priority 5; policy accept; }'
    nft 'add rule inet theirs c ip saddr @s counter accept'; nft 'add table ip filter'; nft 'add chain ip filter FORWARD'`,
  );
  await lab.settled();
  const look = () =>
    [
      lab.output(["nft", "-s", "list", "ruleset"]).replaceAll(/table inet skdocker[^]*?\n}\n/g, ""),
      ...["br0", "port0", "vethcafecafe"].map((link) => JSON.stringify(lab.ip("address", "show", link))),
      JSON.stringify([lab.ip("route", "show", "table", "77"), lab.ip("rule", "show")]),
      lab.output([...inside, "ip -j rule; ip -j address show own0; ip -j address show lo; nft list table inet own"]),
    ].join("\n").replaceAll(/"[a-z_]*timer":[^,]*,/g, "");
  const before = look();
  for (
    const breakage of ["true", "nft delete table inet skdocker; ip link set skbr0 down; ip address flush dev skbr0"]
  ) {
    lab.shell(breakage);
    expect(lab.skdocker("net", "reset")).toMatchObject({ code: 0, stderr: "" });
    expect(look()).toBe(before);
  }
  expect(await shell.reaches(lab.internetAddress)).toBe(true);
  await shell.exit();
});
