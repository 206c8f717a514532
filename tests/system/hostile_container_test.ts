/** A container that means harm to its host: by packets, by looking at processes, by what it leaves behind. */
import { expect, test } from "bun:test";
import { ContainerShell } from "../lab/shell.ts";
import { makeRootfs, proberBytes, TAKE_PROBER } from "../lab/prober.ts";
import { Lab, until } from "../lab.ts";

/** What of the host a router's words could change. */
function routing(lab: Lab): string {
  const asked = [
    "ip route get 220.181.38.152",
    "ip -6 route",
    "ip -6 address show scope global",
    "ip route show cache",
    "ip -6 route show cache",
  ];
  return lab.shell(asked.map((line) => `${line} | sed 's/ expires [0-9]*sec//'`).join("; echo; "));
}

/** The words a container needs to play the router: its link, the host's router and address, its own, and a destination. */
const attack = (own: string, lab: Lab, receiver: string) =>
  `prober routes eth0 10.0.24.1 ${receiver} ${own} ${lab.internetAddress}; prober routes eth0 ${receiver} ${lab.hostAddress} ${own} ${lab.internetAddress}`;

test("router advertisements and redirects of a container change nothing on the host, on the bridge and on a pair", () => {
  using lab = Lab.create();
  const root = makeRootfs(`${lab.directory}/root`);
  for (const network of ["bridge", "ptp"]) {
    lab.output([lab.binary, "run", "--rm", "--network", network, "busybox", "true"]);
    const before = routing(lab);
    const script =
      `own=$(ip -4 address show eth0 | sed -n 's/.*inet \\([0-9.]*\\).*/\\1/p'); gate=$(ip route | sed -n 's/default via \\([0-9.]*\\).*/\\1/p'); ${
        attack("$own", lab, "$gate")
      }`;
    const argv = [
      lab.binary,
      "run",
      "--rm",
      "--network",
      network,
      root,
      "/bin/busybox",
      "sh",
      "-c",
      `PATH=/bin; alias sed='busybox sed'; ${script.replaceAll("| sed", "| busybox sed")}`,
    ];
    expect(lab.output(argv)).toBe("sent\nsent\n");
    expect(routing(lab)).toBe(before);
  }
});

test("without the parameters that skdocker writes, the same advertisements would give the host a router", async () => {
  using lab = Lab.create();
  const root = makeRootfs(`${lab.directory}/root`);
  lab.output([lab.binary, "run", "--rm", "busybox", "true"]);
  const shell = new ContainerShell(lab); // keeps the bridge's carrier
  await shell.output("true");
  lab.shell("sysctl -qw net.ipv6.conf.skbr0.accept_ra=2 net.ipv6.conf.skbr0.disable_ipv6=0");
  await until(
    "skbr0 to have IPv6",
    () =>
      lab.ip("-6", "address", "show", "dev", "skbr0")[0]?.addr_info?.some((each: { tentative?: boolean }) =>
        !each.tentative
      ),
  );
  // A start would set both right again; this container is let run by the rules of before.
  const words = ["routes", "eth0", "10.0.24.1", "172.16.0.1", "172.16.0.9", lab.internetAddress];
  expect(lab.netnsOf(await shell.labPid(), [`${root}/bin/prober`, ...words]).stdout).toBe("sent\n");
  await until("the host to believe it", () => lab.shell("ip -6 route show default dev skbr0").includes("fe80::bad"));
  await shell.exit();
});

test("host ends are hardened from before they are up, and stay so; route_localnet is set nowhere and never", async () => {
  using lab = Lab.create({ resolvConf: "nameserver 127.0.0.53\n" });
  const localnet = (where: string) => {
    // Whichever of the two there are.
    const links = lab.shell("ls /proc/sys/net/ipv4/conf").trim().split("\n");
    const set = links.filter((link) => lab.sysctl(`net.ipv4.conf.${link.replaceAll(".", "/")}.route_localnet`) !== "0");
    expect([where, set]).toEqual([where, []]);
  };
  lab.skdocker("net", "init");
  localnet("after init");
  const [bridge, ptp] = [new ContainerShell(lab), new ContainerShell(lab, "--network", "ptp")];
  for (const shell of [bridge, ptp]) {
    expect(await shell.output("cat /proc/sys/net/ipv4/conf/*/route_localnet | sort -u")).toBe("0\n");
  }
  localnet("while containers run");
  const links = lab.ip("link", "show").map(({ ifname }: { ifname: string }) => ifname).filter((name: string) =>
    /^(veth|skbr0)/.test(name)
  );
  expect(links.length).toBe(3);
  for (const link of links) {
    const parameters = [
      "ipv6.conf.#.accept_ra",
      "ipv6.conf.#.accept_redirects",
      "ipv6.conf.#.disable_ipv6",
      "ipv4.conf.#.accept_redirects",
      "ipv4.conf.#.send_redirects",
    ];
    const found = parameters.map((name) => lab.sysctl(`net.${name.replace("#", link)}`));
    expect([link, found]).toEqual([link, ["0", "0", "1", "0", "0"]]);
  }
  lab.shell("nft flush ruleset");
  localnet("without rules");
  expect(lab.skdocker("net", "reset").code).toBe(0);
  localnet("after a reset");
  await Promise.all([bridge.exit(), ptp.exit()]);
});

test("services on the host's loopback are out of a container's reach, also when the rules are gone", async () => {
  using lab = Lab.create();
  const server = lab.spawn(["busybox", "httpd", "-f", "-p", "127.0.0.1:8080", "-h", "/etc"]);
  await until("the server", () => lab.shell("ss -lntH").includes("127.0.0.1:8080"));
  const shell = new ContainerShell(lab, "--cap-add", "NET_ADMIN");
  const fetch = async () => (await shell.type("timeout 3 wget -q -O- http://127.0.0.1:8080/hostname")).code;
  expect(await fetch()).not.toBe(0);
  lab.shell("nft flush ruleset");
  expect(await fetch()).not.toBe(0);
  for (const address of ["172.16.0.1", lab.hostAddress]) {
    expect((await shell.type(`timeout 3 wget -q -O- http://${address}:8080/hostname`)).code).not.toBe(0);
  }
  await server.kill();
  await shell.exit();
});

test("a flood of forged broadcasts leaves host and neighbours working", async () => {
  using lab = Lab.create();
  const neighbour = new ContainerShell(lab);
  await neighbour.address();
  const flood = [lab.binary, "run", "--rm", "-i", "busybox", "sh", "-c", `${TAKE_PROBER} && prober flood eth0 60000`];
  expect(lab.output(flood, { stdin: proberBytes() })).toBe("flooded\n");
  for (const target of ["172.16.0.1", lab.internetAddress]) {
    expect([target, await neighbour.reaches(target)]).toEqual([target, true]);
  }
  // Whoever has no address of the network's own is nobody's neighbour.
  expect(lab.ip("neigh", "show", "dev", "skbr0").length).toBeLessThan(10);
  await neighbour.exit();
});

test("a container that polls /proc for memory and programs sees nothing of 300 starts around it", async () => {
  using lab = Lab.create();
  const root = makeRootfs(`${lab.directory}/root`);
  const watcher = lab.spawn([
    ...[lab.binary, "run", "--rm", "--name", "watcher", "--cap-add", "ALL", "-v", `${lab.directory}:/shared`, root],
    ...["/bin/prober", "poll", "170"],
  ]);
  await until(
    "the watcher",
    () => lab.run([lab.binary, "run", "--rm", "--network", "container:watcher", "busybox", "true"]).code === 0,
  );
  const program = lab.output(["sha256sum", lab.binary]);
  const starts =
    `for i in $(seq 50); do for n in container:watcher none; do ${lab.binary} run --rm --network $n busybox true || exit 1; ${lab.binary} run --rm --network $n ${root} /bin/true || exit 1; ${lab.binary} run --rm -u 1000 --network $n ${root} /bin/true || exit 1; done; done; echo done`;
  expect(lab.output(["sh", "-c", starts], { timeout: 110_000 })).toBe("done\n");
  await watcher.kill("SIGTERM"); // which reaches the prober
  const { stdout, code } = await watcher.ended();
  expect([code, stdout]).toEqual([0, "looked 0\n"]);
  expect(lab.output(["sha256sum", lab.binary])).toBe(program);
}, 180_000);

test("a container's set-uid program is nobody's on the host but root's to find", async () => {
  using lab = Lab.create();
  const script =
    "cp /bin/busybox /etc/hosts; chmod 4755 /etc/hosts /etc/resolv.conf; mkdir /x; cp /bin/busybox /x/su; chmod 4755 /x/su; echo made; sleep 100";
  const running = lab.spawn([lab.binary, "run", "--rm", "busybox", "sh", "-c", script]);
  await running.waitFor(/made/);
  const found = lab.output([
    "find",
    "/run/skdocker",
    "/var/lib/skdocker",
    lab.directory,
    "-perm",
    "-4000",
    "-type",
    "f",
  ]);
  expect(found.trim().split("\n").length).toBeGreaterThanOrEqual(2);
  for (const path of found.trim().split("\n").filter((each) => !each.startsWith(`${lab.directory}/data`))) {
    // A shell between: setpriv itself still has its rights when it executes.
    const nobody = lab.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", path]);
    expect([path, nobody.code === 0]).toEqual([path, false]);
    expect(nobody.stderr).toContain("Permission denied");
  }
  await running.kill("SIGKILL");
  await running.ended();
  lab.skdocker("run", "--rm", "busybox", "true");
  expect(lab.run(["find", "/run/skdocker", "/var/lib/skdocker", "-perm", "-4000", "-type", "f"]).stdout).toBe("");
});

test("a container that keeps its pipes locked cannot keep skdocker from hearing signals, or from ending", async () => {
  using lab = Lab.create();
  const root = makeRootfs(`${lab.directory}/root`);
  // Files at both ends, so that skdocker has pipes of its own to the container.
  lab.shell(`seq 1 200000 >${lab.directory}/input`);
  const before = await lab.settled();
  for (const [signal, code] of [["SIGTERM", 55], ["SIGKILL", 137]] as const) {
    const command = `exec ${lab.binary} run --rm -i --network none ${root} /bin/prober freeze <${lab.directory}/input`;
    const running = lab.spawn(["sh", "-c", command]);
    await running.waitFor(/frozen/);
    await until("both splices to wait", () => {
      const waiting = lab.shell("for p in $(pgrep -x prober); do cat /proc/$p/wchan; echo; done");
      return waiting.includes("unix_stream_read") && waiting.includes("sock_alloc_send");
    });
    await running.kill(signal);
    expect((await running.ended({ timeout: 3000 })).code).toBe(code);
    await until("the container to end with it", () => lab.run(["pgrep", "-x", "prober"]).code !== 0);
  }
  expect(lab.skdocker("run", "--rm", "--network", "none", "busybox", "true").code).toBe(0);
  await lab.unchanged(before, { except: /skdocker/ });
});
