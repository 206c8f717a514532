/** rtnetlink by our requests, looked at with the real ip(8), in network namespaces of their own. Needs root. */
import { afterEach, expect, test } from "bun:test";
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import { formatIp, formatIpNetwork, parseIp } from "../../src/kernel/ip_address.ts";
import { ipv4FromNumber, parseIpv4 } from "../../src/kernel/ipv4.ts";
import { parseMac } from "../../src/kernel/mac.ts";
import { createNetworkNamespace, type NetworkNamespace } from "../../src/kernel/namespaces.ts";
import {
  deleteAddress,
  listAddresses,
  newAddress,
  readAddressNotification,
  replaceAddress,
  RTNLGRP_IPV4_IFADDR,
} from "../../src/kernel/netlink/address.ts";
import {
  changeLink,
  deleteLink,
  getLink,
  listLinks,
  newBridge,
  newVeth,
  readLinkNotification,
  RTNLGRP_LINK,
} from "../../src/kernel/netlink/link.ts";
import { deleteNeighbour, getNeighbour, listNeighbours, replaceNeighbour } from "../../src/kernel/netlink/neighbour.ts";
import { readNetconfNotification, RTNLGRP_IPV4_NETCONF } from "../../src/kernel/netlink/netconf.ts";
import { deleteRoute, getRoute, listRoutes, newRoute, replaceRoute } from "../../src/kernel/netlink/route.ts";
import { NETLINK_ROUTE, NetlinkError, NetlinkSocket } from "../../src/kernel/netlink/socket.ts";
import type { RawMessage, Request } from "../../src/kernel/netlink/message.ts";

/** A namespace with a socket inside, and ip(8) as a second opinion. */
interface Side {
  readonly namespace: NetworkNamespace;
  readonly socket: NetlinkSocket;
  sh(script: string): string;
  ip(command: string): Record<string, unknown>[];
}

const sides: Side[] = [];
afterEach(() => {
  for (const { namespace, socket } of sides.splice(0)) {
    socket[Symbol.dispose]();
    namespace[Symbol.dispose]();
  }
});

function side(): Side {
  const namespace = createNetworkNamespace({
    // A new namespace may inherit these from the machine's own.
    sysctls: [
      { path: "/proc/sys/net/ipv4/ip_forward", value: "0" },
      // Nobody here has a duplicate address, and finding that out takes two seconds.
      { path: "/proc/sys/net/ipv6/conf/default/accept_dad", value: "0" },
    ],
    sockets: [{ name: "route", family: 16, type: 3, protocol: NETLINK_ROUTE }],
  });
  const route = namespace.sockets.get("route");
  if (route === undefined) throw new Error("no socket was opened");
  const socket = NetlinkSocket.adopt(check(syscall("dup", route.fd), { operation: "dup", subject: "it" }), 0);
  const path = `/proc/${process.pid}/fd/${namespace.descriptor.fd}`;
  const sh = (script: string) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync(["nsenter", `--net=${path}`, "sh", "-ec", script]);
    if (exitCode !== 0) throw new Error(`${script}: ${stderr.toString()}`);
    return stdout.toString();
  };
  const made: Side = { namespace, socket, sh, ip: (command) => JSON.parse(sh(`ip -j -d ${command}`)) };
  sides.push(made);
  return made;
}

const BRIDGE = parseMac("02:53:00:00:00:01");
const HOST_END = parseMac("02:53:00:00:00:02");
const CONTAINER_END = parseMac("02:53:ac:10:00:02");

/** A container's network: a bridge and a veth pair into another namespace, address and default route there. */
function buildByUs(host: Side, container: Side): void {
  host.socket.transact([
    newBridge({ name: "br0", address: BRIDGE, mtu: 1400 }),
    changeLink("br0", { up: true, alias: "the bridge", ipv4: { forwarding: 1 } }),
  ]);
  const bridge = getLink(host.socket, "br0").index;
  const peer = { name: "eth0", address: CONTAINER_END, mtu: 1400, namespace: container.namespace.descriptor.fd };
  host.socket.transact([
    newAddress({ link: bridge, address: parseIp("172.16.0.1"), prefix: 16, broadcast: true }),
    newVeth({ name: "veth0", address: HOST_END, mtu: 1400, master: bridge, group: 7, up: true, peer }),
    changeLink("veth0", { alias: "web", port: { hairpin: true, isolated: true }, ipv6LinkLocal: false }),
  ]);
  const eth0 = getLink(container.socket, "eth0").index;
  container.socket.transact([
    changeLink("lo", { up: true }),
    changeLink(eth0, { up: true }),
    newAddress({ link: eth0, address: parseIp("172.16.0.2"), prefix: 16, broadcast: true }),
    newRoute({ gateway: parseIp("172.16.0.1"), link: eth0 }),
    newRoute({ destination: { address: parseIp("10.9.0.1"), prefix: 32 }, link: eth0, table: 300, protocol: "static" }),
    replaceNeighbour({ link: eth0, address: parseIp("172.16.0.1"), mac: BRIDGE, state: "permanent" }),
  ]);
}

function buildByIp(host: Side, container: Side): void {
  const path = `/proc/${process.pid}/fd/${container.namespace.descriptor.fd}`;
  host.sh(`
    ip link add name br0 address ${BRIDGE} mtu 1400 type bridge
    ip link set br0 up alias "the bridge"
    echo 1 > /proc/sys/net/ipv4/conf/br0/forwarding
    ip addr add 172.16.0.1/16 broadcast + dev br0
    ip link add name veth0 address ${HOST_END} mtu 1400 master br0 group 7 type veth \
      peer name eth0 address ${CONTAINER_END} mtu 1400 netns ${path}
    ip link set veth0 up
    ip link set veth0 alias web addrgenmode none
    ip link set veth0 type bridge_slave hairpin on isolated on`);
  container.sh(`
    ip link set lo up
    ip link set eth0 up
    ip addr add 172.16.0.2/16 broadcast + dev eth0
    ip route add default via 172.16.0.1 dev eth0
    ip route add 10.9.0.1/32 dev eth0 table 300 proto static
    ip neigh replace 172.16.0.1 lladdr ${BRIDGE} dev eth0 nud permanent`);
}

/** What differs between any two namespaces: running clocks, kernels' choices by random, counters. */
const VOLATILE = /timer$|^(link_netnsid|root_id|bridge_id|designated_.*|valid_life_time|preferred_life_time)$/;

function picture({ ip }: Side): unknown {
  const all = { links: ip("link show"), addresses: ip("-4 addr show"), routes: ip("route show table all") };
  const found = { ...all, neighbours: ip("neigh show nud permanent") };
  return JSON.parse(JSON.stringify(found, (key, value) => (VOLATILE.test(key) ? undefined : value)));
}

/** IPv6's own routes and carrier come a moment later. */
async function settled(...all: Side[]): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const waiting = all.some(({ sh }) => /NO-CARRIER|tentative|state LOWERLAYERDOWN/.test(sh("ip addr show")));
    if (!waiting) return;
    await Bun.sleep(50);
  }
  throw new Error("the links did not settle");
}

test("a network built by us and its twin built by ip(8) look the same to ip(8)", async () => {
  const [host, container, twinHost, twinContainer] = [side(), side(), side(), side()];
  buildByUs(host, container);
  buildByIp(twinHost, twinContainer);
  await settled(host, container, twinHost, twinContainer);
  expect(picture(host)).toEqual(picture(twinHost));
  expect(picture(container)).toEqual(picture(twinContainer));
});

test("what we read of links is what ip(8) reads", async () => {
  const [host, container] = [side(), side()];
  buildByIp(host, container);
  await settled(host, container);
  for (const { socket, ip } of [host, container]) {
    const ours = listLinks(socket).map((link) => ({
      ifindex: link.index,
      ifname: link.name,
      up: link.up,
      mtu: link.mtu,
      address: link.kind === "" ? "00:00:00:00:00:00" : link.address,
      alias: link.alias,
      kind: link.kind,
      operstate: link.operstate.toUpperCase(),
      hairpin: link.port?.hairpin,
      isolated: link.port?.isolated,
      state: link.port?.state,
      netns: link.linkNetnsId,
      peer: link.linkNetnsId === undefined ? undefined : link.peer,
    }));
    // deno-lint-ignore no-explicit-any -- JSON of another program
    const theirs = ip("link show").map((link: any) => ({
      ifindex: link.ifindex,
      ifname: link.ifname,
      up: link.flags.includes("UP"),
      mtu: link.mtu,
      address: link.address,
      alias: link.ifalias ?? "",
      kind: link.linkinfo?.info_kind ?? "",
      operstate: link.operstate,
      hairpin: link.linkinfo?.info_slave_data?.hairpin,
      isolated: link.linkinfo?.info_slave_data?.isolated,
      state: link.linkinfo?.info_slave_data?.state,
      netns: link.link_netnsid,
      peer: link.link_index,
    }));
    expect(ours).toEqual(theirs);
  }
  const bridge = getLink(host.socket, "br0").index;
  expect(listLinks(host.socket, { master: bridge }).map(({ name, group }) => `${name} ${group}`)).toEqual(["veth0 7"]);
  expect(getLink(host.socket, bridge).name).toBe("br0");
});

test("what we read of addresses, routes and neighbours is what ip(8) reads", async () => {
  const [host, container] = [side(), side()];
  buildByIp(host, container);
  await settled(host, container);
  const { socket, ip } = container;
  expect(listAddresses(socket).map((address) => formatIpNetwork(address)).sort()).toEqual(
    // deno-lint-ignore no-explicit-any -- JSON of another program
    ip("addr show").flatMap((link: any) => link.addr_info.map((a: any) => `${a.local}/${a.prefixlen}`)).sort(),
  );
  const eth0 = getLink(socket, "eth0").index;
  expect(listAddresses(socket, { link: eth0, family: "ipv4" })).toMatchObject([
    { link: eth0, prefix: 16, scope: "global", broadcast: parseIpv4("172.16.255.255"), peer: undefined },
  ]);
  const names = ip("link show").map((link) => [link["ifindex"], link["ifname"]]);
  const nameOf = (index: number | undefined) => names.find(([number]) => number === index)?.[1];
  const ours = listRoutes(socket, { family: "ipv4" }).map((route) =>
    [
      route.destination.prefix === 0
        ? "default"
        : route.destination.prefix === 32
        ? formatIp(route.destination.address)
        : formatIpNetwork(route.destination),
      route.gateway === undefined ? "" : formatIp(route.gateway),
      nameOf(route.link),
      route.type,
    ].join(" ")
  );
  const theirs = ip("-4 route show table all").map((route) =>
    [route["dst"], route["gateway"] ?? "", route["dev"], route["type"] ?? "unicast"].join(" ")
  );
  expect(ours.sort()).toEqual(theirs.sort());
  expect(listRoutes(socket, { family: "ipv4", table: 300 })).toMatchObject([{ table: 300, link: eth0, scope: "link" }]);
  expect(getRoute(socket, parseIp("8.8.8.8"))).toMatchObject({ link: eth0, gateway: parseIp("172.16.0.1") });
  expect(getRoute(socket, parseIp("172.16.0.2"))).toMatchObject({ type: "local", source: parseIp("172.16.0.2") });
  const router = { link: eth0, address: parseIp("172.16.0.1") };
  expect(getNeighbour(socket, router)).toEqual({ ...router, mac: BRIDGE, state: "permanent" });
  expect(listNeighbours(socket, { link: eth0, family: "ipv4" })).toEqual([getNeighbour(socket, router)]);
  socket.transact([deleteNeighbour(router)]);
  expect(listNeighbours(socket, { link: eth0, family: "ipv4" })).toEqual([]);
});

test("a change sets IPv4 settings; the same words at creation would be ignored", () => {
  const { socket, sh } = side();
  socket.transact([
    newVeth({ name: "a", peer: { name: "b" } }),
    changeLink("a", { ipv4: { forwarding: 1, accept_redirects: 0, send_redirects: 0, rp_filter: 2, arp_notify: 1 } }),
  ]);
  const read = (name: string) => sh(`cat /proc/sys/net/ipv4/conf/a/${name}`).trim();
  expect(["forwarding", "accept_redirects", "send_redirects", "rp_filter", "arp_notify"].map(read))
    .toEqual(["1", "0", "0", "2", "1"]);
  expect(getLink(socket, "a").ipv4).toMatchObject({ forwarding: 1, send_redirects: 0, rp_filter: 2, arp_notify: 1 });
  sh("echo 1 > /proc/sys/net/ipv6/conf/a/disable_ipv6; echo 2 > /proc/sys/net/ipv6/conf/a/accept_ra");
  expect(getLink(socket, "a").ipv6).toMatchObject({ disable_ipv6: 1, accept_ra: 2 });
});

test("every IPv4 and IPv6 setting is the sysctl of its name", () => {
  const { socket, sh } = side();
  const settings = (family: "ipv4" | "ipv6") => Object.entries(getLink(socket, "lo")[family] ?? {});
  for (const family of ["ipv4", "ipv6"] as const) {
    for (const [name, value] of settings(family)) {
      const path = `/proc/sys/net/${family}/conf/lo/${name}`;
      const other = value === 1 ? 0 : 1;
      expect(sh(`cat ${path}; echo ${other} > ${path}`).trim()).toBe(String(value));
      expect(settings(family).filter(([, now]) => now === other).map(([known]) => known)).toContain(name);
      sh(`echo ${value} > ${path}`);
    }
  }
});

test("a refused request is named, and those after it are done all the same", () => {
  const { socket } = side();
  const refused = failureOf(() =>
    socket.transact([
      newBridge({ name: "br0" }),
      changeLink("gone", { up: true }),
      newBridge({ name: "br1" }),
      newBridge({ name: "br0" }),
    ])
  );
  expect(refused.message).toBe('Cannot change link "gone": ENODEV (No such device)');
  expect(refused).toMatchObject({ failedIndex: 1, outcomes: [0, 19, 0, 17], code: "ENODEV" });
  expect(getLink(socket, "br1").kind).toBe("bridge");
});

test("the kernel's sentence and the attribute it is about are told", () => {
  const { socket } = side();
  const told = (request: Request) => failureOf(() => socket.transact([request])).message;
  expect(told(newRoute({ gateway: parseIp("9.9.9.9") }))).toEndWith("Nexthop has invalid gateway");
  expect(told(changeLink("lo", { alias: "x".repeat(300) }))).toEndWith("(IFLA_IFALIAS)");
  socket.transact([newBridge({ name: "br0" })]);
  expect(told(changeLink("br0", { mtu: 20 }))).toEndWith("mtu less than device minimum");
});

function failureOf(run: () => void): NetlinkError {
  try {
    run();
  } catch (error) {
    if (error instanceof NetlinkError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("thousands of requests and answers go through one socket", () => {
  const { socket, sh } = side();
  const addresses = Array.from({ length: 1500 }, (_, i) => ipv4FromNumber(0x0a000001 + i));
  socket.transact([changeLink("lo", { up: true })]);
  socket.transact(addresses.map((address) => newAddress({ link: 1, address, prefix: 32 })));
  const listed = listAddresses(socket, { family: "ipv4", link: 1 }).map(({ address }) => address);
  expect(listed).toEqual([parseIpv4("127.0.0.1"), ...addresses]);
  expect(listRoutes(socket, { family: "ipv4", table: 255 }).length).toBe(1503); // 127/8 has two more
  socket.transact(addresses.map((address) => deleteAddress({ link: 1, address, prefix: 32 })));
  expect(sh("ip -4 -o addr show").trim().split("\n").length).toBe(1);
});

test("a portion after a refused one is not sent", () => {
  const { socket } = side();
  const requests = Array.from(
    { length: 300 },
    (_, i) => newAddress({ link: i === 150 ? 99 : 1, address: ipv4FromNumber(0x0a000001 + i), prefix: 32 }),
  );
  const refused = failureOf(() => socket.transact(requests));
  expect(refused.failedIndex).toBe(150);
  expect([refused.outcomes[199], refused.outcomes[200]]).toEqual([0, undefined]);
  expect(listAddresses(socket, { family: "ipv4" }).length).toBe(199);
});

test("replacing twice is done once, and removing what is not there is refused by its errno", () => {
  const { socket } = side();
  const address = { link: 1, address: parseIp("10.0.0.1"), prefix: 32 };
  const route = { destination: { address: parseIp("10.1.0.0"), prefix: 16 }, link: 1 };
  socket.transact([changeLink("lo", { up: true })]);
  for (let i = 0; i < 2; i++) socket.transact([replaceAddress(address), replaceRoute(route)]);
  expect(failureOf(() => socket.transact([newAddress(address)])).code).toBe("EEXIST");
  expect(failureOf(() => socket.transact([newRoute(route)])).code).toBe("EEXIST");
  socket.transact([deleteRoute(route), deleteAddress(address)]);
  expect(failureOf(() => socket.transact([deleteRoute(route)])).code).toBe("ESRCH");
  expect(failureOf(() => socket.transact([deleteAddress(address)])).code).toBe("EADDRNOTAVAIL");
  expect(failureOf(() => socket.transact([deleteLink("gone")])).code).toBe("ENODEV");
  expect(() => getLink(socket, "gone")).toThrow('Cannot find link "gone": ENODEV (No such device)');
  expect(() => getRoute(socket, parseIp("8.8.8.8"))).toThrow("ENETUNREACH");
});

test("changes made by others are heard of, and ours do not disturb what is asked meanwhile", () => {
  const { socket, sh } = side();
  socket.subscribe([RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_NETCONF]);
  expect(socket.receive()).toEqual([]);
  sh("ip link add br9 type bridge; ip addr add 10.9.0.1/24 dev br9; echo 1 > /proc/sys/net/ipv4/ip_forward");
  sh("ip link del br9");
  const heard = everything(socket);
  const links = heard.flatMap((message) => readLinkNotification(message) ?? []);
  expect(links.map(({ removed, link }) => `${removed ? "-" : "+"}${link.name}`)).toContain("+br9");
  expect(links.at(-1)).toMatchObject({ removed: true, link: { name: "br9" } });
  expect(
    heard.flatMap((message) => readAddressNotification(message) ?? []).map(({ address }) => formatIpNetwork(address)),
  )
    .toContain("10.9.0.1/24");
  expect(heard.flatMap((message) => readNetconfNotification(message) ?? [])).toContainEqual(
    { family: "ipv4", link: "all", forwarding: true, rpFilter: undefined },
  );
  socket.transact([newBridge({ name: "br8" })]);
  expect(getLink(socket, "br8").name).toBe("br8");
});

function everything(socket: NetlinkSocket): RawMessage[] {
  const heard: RawMessage[] = [];
  for (let i = 0; i < 1000; i++) {
    const some = socket.receive();
    if (some.length === 0) break;
    heard.push(...some);
  }
  return heard;
}

test("lost notifications are told, and afterwards the socket goes on", () => {
  const { socket, sh } = side();
  socket.subscribe([RTNLGRP_LINK]);
  const size = new Uint8Array(Int32Array.of(1).buffer);
  check(syscall("setsockopt", socket.fd, 1, 8, addressOf(size), 4), { operation: "set", subject: "SO_RCVBUF" });
  sh("for i in 1 2 3 4 5 6 7 8; do ip link add br$i type bridge; ip link set br$i up; done");
  expect(() => everything(socket)).toThrow('Cannot receive "netlink notifications": ENOBUFS');
  everything(socket);
  expect(socket.receive()).toEqual([]);
  expect(listLinks(socket).length).toBe(9);
});

test("a dump that loses a part is asked for again", () => {
  const { socket, sh } = side();
  socket.subscribe([RTNLGRP_LINK]);
  const size = new Uint8Array(Int32Array.of(1).buffer);
  check(syscall("setsockopt", socket.fd, 1, 8, addressOf(size), 4), { operation: "set", subject: "SO_RCVBUF" });
  sh("for i in 1 2 3 4 5 6 7 8; do ip link add br$i type bridge; ip link set br$i up; done");
  expect(listLinks(socket).length).toBe(9);
  expect(getLink(socket, "br8").name).toBe("br8");
});

test("dumps are whole while others change what is dumped", async () => {
  const { socket, namespace } = side();
  const path = `/proc/${process.pid}/fd/${namespace.descriptor.fd}`;
  socket.transact(Array.from({ length: 100 }, (_, i) => newVeth({ name: `a${i}`, peer: { name: `b${i}` } })));
  const churn = "i=0; while [ $i -lt 30 ]; do ip link add x type bridge; ip link del x; i=$((i+1)); done";
  const other = Bun.spawn(["nsenter", `--net=${path}`, "sh", "-c", churn]);
  for (let i = 0; i < 2000 && other.exitCode === null; i++) {
    const names = new Set(listLinks(socket).map(({ name }) => name));
    names.delete("x");
    expect(names.size).toBe(201);
    await Bun.sleep(1);
  }
  await other.exited;
});

test("messages that other processes send to our socket are ignored", () => {
  const { socket, sh } = side();
  socket.transact([changeLink("lo", { up: true })]);
  const name = new Uint8Array(12);
  const length = new Uint8Array([12, 0, 0, 0]);
  check(syscall("getsockname", socket.fd, addressOf(name), addressOf(length)), { operation: "ask", subject: "port" });
  const port = new DataView(name.buffer).getUint32(4, true);
  // An acknowledgement of the next request, sequence number 2, which says that there is no such device.
  const fake = "2400000002000000" + "02000000" + "00000000" + "edffffff" + "00".repeat(16);
  const perl = `socket(S,16,3,0); send(S,pack("H*","${fake}"),0,pack("SSLL",16,0,${port},0)) or die "$!"`;
  sh(`perl -e '${perl}'`);
  socket.transact([changeLink("lo", { up: false })]);
  expect(getLink(socket, "lo").up).toBe(false);
});

test("the trace tells what was asked and what was answered, and costs no more than it says", () => {
  const module = `${import.meta.dir}/../../src/kernel/netlink`;
  const script = `
    import { NetlinkSocket } from "${module}/socket.ts";
    import { changeLink, getLink } from "${module}/link.ts";
    using socket = NetlinkSocket.open(0);
    socket.transact([changeLink("lo", { up: true, ipv4: { forwarding: 1 } })]);
    try { socket.transact([changeLink("gone", {})]); } catch {}
    getLink(socket, "lo");`;
  const traced = (words: string) =>
    Bun.spawnSync(["unshare", "-n", process.execPath, "-e", script], { env: { ...process.env, SKDOCKER_TRACE: words } })
      .stderr.toString();
  expect(traced("")).toBe("");
  const lines = traced("netlink").split("\n");
  expect(lines.slice(0, 5)).toEqual([
    'netlink: > RTM_NEWLINK ifinfomsg(flags 0x1 change 0x1) IFLA_IFNAME "lo" ' +
    "IFLA_AF_SPEC { AF_INET { IFLA_INET_CONF { forwarding 1 } } }",
    "netlink: < RTM_NEWLINK done",
    'netlink: > RTM_NEWLINK ifinfomsg() IFLA_IFNAME "gone"',
    "netlink: < RTM_NEWLINK errno 19",
    'netlink: > RTM_GETLINK ifinfomsg() IFLA_IFNAME "lo" IFLA_EXT_MASK 8',
  ]);
  expect(lines[5]).toStartWith("netlink: < RTM_NEWLINK ifinfomsg(type 772 index 1 flags 0x10049) ");
});
