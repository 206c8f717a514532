/** Network namespaces made and entered by native programs: this process must never be left in one. */
import { afterEach, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Call } from "../../ffi/program.ts";
import {
  createNetworkNamespace,
  inNetworkNamespace,
  namespaceInode,
  type NetworkNamespace,
  networkNamespaceCookie,
  openNetworkNamespace,
  openSocketsIn,
  writeSysctlsIn,
} from "../../src/kernel/namespaces.ts";

const AF_INET = 2;
const AF_NETLINK = 16;
const AF_PACKET = 17;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;
/** 127.0.0.11, a port of the kernel's choice. */
const LOOPBACK = new Uint8Array([AF_INET, 0, 0, 0, 127, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0]);

const ROUTE = { name: "route", family: AF_NETLINK, type: SOCK_RAW, protocol: NETLINK_ROUTE };
const PORT_START = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
const HOME = readlinkSync("/proc/self/ns/net");

const open: Disposable[] = [];
afterEach(() => open.splice(0).forEach((each) => each[Symbol.dispose]()));

function create(options: Partial<Parameters<typeof createNetworkNamespace>[0]> = {}): NetworkNamespace {
  const namespace = createNetworkNamespace({ sysctls: [], sockets: [ROUTE], ...options });
  open.push(namespace);
  return namespace;
}

/** Runs a command in a namespace by nsenter(1). */
function inside(namespace: NetworkNamespace, ...command: string[]): string {
  const path = `/proc/${process.pid}/fd/${namespace.descriptor.fd}`;
  return Bun.spawnSync(["nsenter", `--net=${path}`, ...command]).stdout.toString();
}

/** The namespace of every thread of this process. */
function threadNamespaces(): string[] {
  const seen = new Set<string>();
  for (const task of readdirSync("/proc/self/task")) {
    try {
      seen.add(readlinkSync(`/proc/self/task/${task}/ns/net`));
    } catch { /* a thread that has ended since */ }
  }
  return [...seen];
}

test("a namespace is made, its parameters are written inside, and the host's stay", () => {
  const before = readFileSync(PORT_START, "utf8");
  const namespace = create({ sysctls: [{ path: PORT_START, value: "77" }] });
  expect(inside(namespace, "cat", PORT_START)).toBe("77\n");
  expect(readFileSync(PORT_START, "utf8")).toBe(before);
  expect(threadNamespaces()).toEqual([HOME]);
});

test("the descriptor is the namespace's, and the sockets are in it", () => {
  const namespace = create();
  expect(inside(namespace, "readlink", "/proc/self/ns/net").trim()).toBe(
    `net:[${namespaceInode(namespace.descriptor.fd)}]`,
  );
  const other = create();
  const cookie = (of: NetworkNamespace) => networkNamespaceCookie(of.sockets.get("route")!.fd); // as asked for
  expect(cookie(namespace)).not.toBe(cookie(other));
  expect(cookie(namespace)).toBeGreaterThan(0n);
});

test("sockets of every kind open inside: netfilter, packets, and names on 127.0.0.11 while lo is down", () => {
  const namespace = create({
    sockets: [
      { name: "netfilter", family: AF_NETLINK, type: SOCK_RAW, protocol: NETLINK_NETFILTER },
      { name: "packets", family: AF_PACKET, type: SOCK_DGRAM, protocol: 0x0608 },
      { name: "udp", family: AF_INET, type: SOCK_DGRAM, protocol: 0, bind: LOOPBACK },
      { name: "tcp", family: AF_INET, type: SOCK_STREAM, protocol: 0, bind: LOOPBACK, listen: 16 },
    ],
  });
  expect([...namespace.sockets.keys()]).toEqual(["netfilter", "packets", "udp", "tcp"]);
  const listening = inside(namespace, "ss", "-Hlnut");
  expect(listening.match(/127\.0\.0\.11:\d+/g)?.length).toBe(2);
});

test("sockets and parameters can be added to a namespace that exists", () => {
  const namespace = create();
  const sockets = openSocketsIn(namespace.descriptor.fd, [
    { name: "udp", family: AF_INET, type: SOCK_DGRAM, protocol: 0, bind: LOOPBACK },
  ]);
  open.push(...sockets.values());
  expect(inside(namespace, "ss", "-Hlnu")).toContain("127.0.0.11");
  writeSysctlsIn(namespace.descriptor.fd, [{ path: PORT_START, value: "5" }]);
  expect(inside(namespace, "cat", PORT_START)).toBe("5\n");
});

test("a parameter that the kernel does not have is no failure where it is optional", () => {
  const missing = { path: "/proc/sys/net/ipv4/no_such_thing", value: "1" };
  create({ sysctls: [{ ...missing, optional: true }] });
  expect(() => create({ sysctls: [missing] })).toThrow('Cannot open "/proc/sys/net/ipv4/no_such_thing": ENOENT');
});

test("a failure in the middle is told after the way back, and leaves no descriptor", () => {
  const namespace = create();
  const descriptors = () => readdirSync("/proc/self/fd").length;
  const before = descriptors();
  const middle: Call = { call: "close", args: [-1], operation: "fail in", subject: "the middle" };
  const socket: Call = {
    call: "socket",
    args: [AF_INET, SOCK_DGRAM, 0],
    as: "socket",
    operation: "open",
    subject: "a socket",
  };
  expect(() => inNetworkNamespace(namespace.descriptor.fd, { items: [socket, middle], descriptors: ["socket"] }))
    .toThrow('Cannot fail in "the middle": EBADF');
  expect(threadNamespaces()).toEqual([HOME]);
  expect(descriptors()).toBe(before);
  expect(() => create({ sysctls: [{ path: PORT_START, value: "not a number" }] })).toThrow("EINVAL");
  expect(descriptors()).toBe(before);
});

test("what is no network namespace is not entered", () => {
  expect(() => openNetworkNamespace("/proc/self/ns/mnt")).toThrow("EINVAL");
  expect(() => openNetworkNamespace("/etc/passwd")).toThrow('Cannot use as a network namespace "/etc/passwd"');
  using own = openNetworkNamespace("/proc/self/ns/net");
  expect(`net:[${namespaceInode(own.fd)}]`).toBe(HOME);
  expect(() => inNetworkNamespace(0, { items: [], descriptors: [] })).toThrow('Cannot enter "a network namespace"');
});

test("no thread of the engine is ever left in a namespace, while it compiles and collects garbage", () => {
  for (let round = 0; round < 100; round++) {
    // New code every round, hot enough for each of the engine's compilers, and garbage for its collector.
    const sum = new Function("limit", `let sum = ${round}; for (let i = 0; i < limit; i++) sum += i % 7; return sum`);
    for (let call = 0; call < 50; call++) sum(2000);
    const garbage = Array.from({ length: 5000 }, (_, index) => ({ index, text: `${index}` }));
    expect(garbage.length).toBe(5000);
    createNetworkNamespace({ sysctls: [], sockets: [ROUTE] })[Symbol.dispose]();
  }
  Bun.gc(true);
  expect(threadNamespaces()).toEqual([HOME]);
}, 60_000);
