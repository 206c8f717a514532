import { expect, test } from "bun:test";
import { UserError } from "../user_error.ts";
import type { NetworkMode } from "./options.ts";
import { isLoopback, parseResolvConf, planResolvConf } from "./resolv_conf.ts";

const BRIDGE: NetworkMode = { kind: "bridge" };
const PLAIN = { mode: BRIDGE, dns: [], dnsSearch: [], dnsOptions: [] } as const;
const RESOLVED = "# systemd-resolved\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch corp.example\n";

/** The lines that count. */
function said(text: string | null): string[] {
  return (text ?? "").split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

test("a file is read as libc reads it", () => {
  const conf = parseResolvConf([
    "# comment",
    "; comment too",
    "nameserver 10.0.0.1 # the first",
    "  nameserver 10.0.0.9",
    "nameserver\tfe80::1%eth0",
    "nameserver",
    "nameserverx 1.2.3.4",
    "domain old.example",
    "search a.example\tb.example ",
    "options ndots:2 rotate",
    "options timeout:1\r",
    "sortlist 10.0.0.0/255.0.0.0",
  ].join("\n"));
  expect(conf).toEqual({
    nameservers: ["10.0.0.1", "fe80::1%eth0"],
    search: ["a.example", "b.example"],
    options: ["ndots:2", "rotate", "timeout:1"],
    sortlist: ["10.0.0.0/255.0.0.0"],
  });
});

test("the last of domain and search wins", () => {
  expect(parseResolvConf("search a b\ndomain c\n").search).toEqual(["c"]);
});

test("the host's file is copied byte for byte where its servers can be reached", () => {
  const hostText = "# mine\nnameserver 10.0.0.1\nnameserver 2001:db8::1\n";
  for (const mode of [BRIDGE, { kind: "host" }, { kind: "ptp", gateway: true, masquerade: true }] as const) {
    expect(planResolvConf({ hostText, options: { ...PLAIN, mode } })).toEqual({ text: hostText, forwarder: null });
  }
});

test("a loopback resolver is served by a forwarder, search and options are kept", () => {
  const { text, forwarder } = planResolvConf({ hostText: RESOLVED, options: PLAIN });
  expect(said(text)).toEqual(["nameserver 127.0.0.11", "search corp.example", "options edns0 trust-ad"]);
  expect(forwarder).toEqual({ upstreams: ["127.0.0.53"] });
});

test("one loopback resolver among others makes all of them the forwarder's, in order, three at most", () => {
  const hostText = "nameserver 10.0.0.1\nnameserver ::1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n";
  expect(planResolvConf({ hostText, options: PLAIN }).forwarder).toEqual({
    upstreams: ["10.0.0.1", "::1", "10.0.0.2"],
  });
});

test("servers that only IPv6 reaches are forwarded to", () => {
  const hostText = "nameserver fe80::1%eth0\n";
  expect(planResolvConf({ hostText, options: PLAIN }).forwarder).toEqual({ upstreams: ["fe80::1%eth0"] });
});

test("a host without a file, or with an empty one, asks 127.0.0.1, as libc does", () => {
  for (const hostText of [null, "", "# nothing\n"]) {
    const plan = planResolvConf({ hostText, options: PLAIN });
    expect(plan.forwarder).toEqual({ upstreams: ["127.0.0.1"] });
    expect(said(plan.text)).toEqual(["nameserver 127.0.0.11"]);
  }
});

test("host, none, ns and container networks copy the file and forward nothing", () => {
  const modes: NetworkMode[] = [
    { kind: "host" },
    { kind: "none", loopback: "up" },
    { kind: "ns", path: "/run/netns/blue" },
    { kind: "container", container: "web" },
  ];
  for (const mode of modes) {
    expect(planResolvConf({ hostText: RESOLVED, options: { ...PLAIN, mode } })).toEqual({
      text: RESOLVED,
      forwarder: null,
    });
  }
});

test("--dns replaces the servers, and the host's loopback resolver with them", () => {
  const { text, forwarder } = planResolvConf({ hostText: RESOLVED, options: { ...PLAIN, dns: ["9.9.9.9", "::2"] } });
  expect(said(text)).toEqual([
    "nameserver 9.9.9.9",
    "nameserver ::2",
    "search corp.example",
    "options edns0 trust-ad",
  ]);
  expect(forwarder).toBeNull();
});

test("--dns-search and --dns-option replace their parts, a dot clears the search", () => {
  const hostText = "nameserver 10.0.0.1\nsearch a.example\noptions rotate\nsortlist 10.0.0.0\n";
  const options = { ...PLAIN, dnsSearch: ["."], dnsOptions: ["ndots:1", "timeout:1"] };
  expect(said(planResolvConf({ hostText, options }).text)).toEqual([
    "nameserver 10.0.0.1",
    "sortlist 10.0.0.0",
    "options ndots:1 timeout:1",
  ]);
  expect(said(planResolvConf({ hostText, options: { ...PLAIN, dnsSearch: ["x.y", "z"] } }).text)).toContain(
    "search x.y z",
  );
});

test("--dns none leaves the container's own file", () => {
  expect(planResolvConf({ hostText: RESOLVED, options: { ...PLAIN, dns: "none" } })).toEqual({
    text: null,
    forwarder: null,
  });
});

test("a word cannot bring a line of its own", () => {
  const options = { ...PLAIN, dnsSearch: ["a\nnameserver 6.6.6.6"] };
  expect(() => planResolvConf({ hostText: RESOLVED, options })).toThrow(UserError);
});

test("loopback is told by address", () => {
  for (
    const address of [
      "127.0.0.1",
      "127.0.0.53",
      "127.1",
      "::1",
      "0:0:0:0:0:0:0:1",
      "::1%lo",
      "::ffff:127.0.0.1",
      "::",
      "0.0.0.0",
    ]
  ) {
    expect(isLoopback(address)).toBeTrue();
  }
  for (
    const address of ["10.0.0.1", "1.127.0.0", "fe80::1%lo", "2001:db8::1", "::2", "::1:1", "::ffff:10.0.0.1", "1::"]
  ) {
    expect(isLoopback(address)).toBeFalse();
  }
});
