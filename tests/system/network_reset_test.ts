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
  await shell.output(`mkfifo /tmp/out; sleep 60 >/tmp/out & nc ${lab.internetAddress} 7000 </tmp/out >/tmp/in &
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
