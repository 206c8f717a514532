import { describe, expect, test } from "bun:test";
import { isIpAddress, isIpv4 } from "./address.ts";
import { parseCapability } from "./capabilities.ts";
import { addVariable, addVariableLines, type Variables } from "./environment.ts";
import { addSysctl, parseCpus, parseMemory, parsePidsLimit, parseShmSize, parseUlimit } from "./limits.ts";
import { parseMount, parseTmpfs, parseVolume } from "./mounts.ts";
import { addLabel, parseContainerName, parseGroup, parseHostname, parseUser } from "./names.ts";
import { type NetworkFlags, parseNetwork, parseNetworkFlags } from "./network.ts";
import { readRootfsWord, rootfsFromWord } from "./rootfs.ts";
import { parseSize } from "./size.ts";

/** A row for each word: what it becomes, or an Error with part of the sentence that refuses it. */
function rows(parse: (text: string) => unknown, table: Readonly<Record<string, unknown>>): void {
  for (const [word, wanted] of Object.entries(table)) {
    if (wanted instanceof Error) {
      test(`${JSON.stringify(word)} is refused: ${wanted.message}`, () => {
        expect(() => parse(word)).toThrow(wanted.message);
      });
    } else test(`${JSON.stringify(word)} is understood`, () => expect(parse(word)).toEqual(wanted));
  }
}

const no = (message: string) => new Error(message);

describe("sizes", () => {
  rows((text) => parseSize(text) ?? null, {
    "0": 0,
    "512": 512,
    "512b": 512,
    "1k": 1024,
    "1K": 1024,
    "1kb": 1024,
    "1KiB": 1024,
    "64m": 64 << 20,
    "1.5g": 1.5 * 2 ** 30,
    ".5k": 512,
    "1 g": 2 ** 30,
    "2t": 2 * 2 ** 40,
    "": null,
    "m": null,
    "-1": null,
    "1x": null,
    "1bb": null,
    "1mm": null,
    "1e9": null,
    "0x10": null,
    "Infinity": null,
    "99999p": null,
  });
});

describe("--memory", () => {
  rows(parseMemory, { "6m": 6 << 20, "0": null, "5m": no("the least is 6m"), "lots": no("not a size"), "": no('""') });
});

describe("--shm-size", () => rows(parseShmSize, { "1g": 2 ** 30, "0": null, "x": no("for --shm-size: not a size") }));

describe("--cpus", () => {
  rows(parseCpus, {
    "1.5": 1.5,
    ".5": 0.5,
    "0": null,
    "0.001": no("the least is 0.01"),
    "-1": no("not a number"),
    "two": no("not a number"),
    "1e3": no("not a number"),
    "9999999": no("more than Linux can have"),
  });
});

test("--pids-limit 0 and -1 mean no limit", () => {
  expect([parsePidsLimit(-1), parsePidsLimit(0), parsePidsLimit(5)]).toEqual([null, null, 5]);
  expect(() => parsePidsLimit(99999999999)).toThrow("that is more than Linux can have");
});

describe("--ulimit", () => {
  rows(parseUlimit, {
    "nofile=1024": { name: "nofile", soft: 1024, hard: 1024 },
    "nofile=1024:2048": { name: "nofile", soft: 1024, hard: 2048 },
    "core=-1": { name: "core", soft: -1, hard: -1 },
    "core=0:-1": { name: "core", soft: 0, hard: -1 },
    "core=-1:0": no("the soft limit is above the hard one"),
    "nofile=2:1": no("the soft limit is above the hard one"),
    "nofle=1": no('"nofle" is not a limit, did you mean nofile?'),
    "nofile": no("not NAME=SOFT[:HARD]"),
    "nofile=": no("not NAME=SOFT[:HARD]"),
    "nofile=1:2:3": no("not NAME=SOFT[:HARD]"),
    "nofile=1k": no("not NAME=SOFT[:HARD]"),
    "nofile=99999999999999999999": no("too big"),
  });
});

describe("--sysctl", () => {
  const one = (text: string) => {
    const sysctls = new Map<string, string>();
    addSysctl(sysctls, text);
    return [...sysctls];
  };
  rows(one, {
    "net.ipv4.ip_forward=1": [["net.ipv4.ip_forward", "1"]],
    "net.ipv4.conf.eth0.rp_filter=": [["net.ipv4.conf.eth0.rp_filter", ""]],
    "kernel.shm_rmid_forced=1": [["kernel.shm_rmid_forced", "1"]],
    "kernel.sem=1 2 3 4": [["kernel.sem", "1 2 3 4"]],
    "fs.mqueue.msg_max=9": [["fs.mqueue.msg_max", "9"]],
    "kernel.panic=1": no("belongs to the whole host"),
    "fs.file-max=1": no("belongs to the whole host"),
    "vm.swappiness=1": no("belongs to the whole host"),
    "net.ipv4.ip_forward": no("not NAME=VALUE"),
    "=1": no("not NAME=VALUE"),
    "net.=1": no("not the name of a setting"),
    "net./../../etc=1": no("not the name of a setting"),
    "net...kernel=1": no("not the name of a setting"),
    "net/ipv4/ip_forward=1": no("not the name of a setting"),
  });
});

describe("capabilities", () => {
  rows((text) => parseCapability(text, "--cap-add"), {
    "NET_ADMIN": "NET_ADMIN",
    "net_admin": "NET_ADMIN",
    "CAP_SYS_PTRACE": "SYS_PTRACE",
    "cap_checkpoint_restore": "CHECKPOINT_RESTORE",
    "all": "ALL",
    "NET_ADMN": no("it is not a capability, did you mean NET_ADMIN?"),
    "CAP_ALL": no("not a capability"),
    "": no("not a capability"),
  });
});

describe("names", () => {
  rows(parseContainerName, {
    "web": "web",
    "Web_1.x-y": "Web_1.x-y",
    "w": no("two or more"),
    "": no("two or more"),
    "-web": no("begins with"),
    "a/b": no("two or more"),
    "web\n": no("two or more"),
    ["w".repeat(255)]: "w".repeat(255),
    ["w".repeat(256)]: no("a name has at most 255 characters"),
    "..": no("begins with"),
  });
  rows(parseHostname, {
    "web": "web",
    "a.example.org": "a.example.org",
    "-x": no("not a host name"),
    "x-": no("not a host name"),
    "a..b": no("not a host name"),
    "a b": no("not a host name"),
    [`a${"b".repeat(64)}`]: no("not a host name"),
  });
  rows(parseUser, {
    "root": { user: "root", group: null },
    "1000": { user: "1000", group: null },
    "1000:100": { user: "1000", group: "100" },
    "www-data:adm": { user: "www-data", group: "adm" },
    "4294967295": no("not a user"),
    ":adm": { user: "0", group: "adm" },
    "1000:": { user: "1000", group: null },
    ":": { user: "0", group: null },
    "a:b:c": no("not a user"),
    "-1": no("not a user"),
    "a b": no("not a user"),
  });
  rows(parseGroup, { "adm": "adm", "5": "5", "": no("not a group"), "a:b": no("not a group") });
  const label = (text: string) => {
    const labels = new Map<string, string>();
    addLabel(labels, text);
    return [...labels];
  };
  rows(label, {
    "a=b=c": [["a", "b=c"]],
    "a": [["a", ""]],
    "org.x/y=": [["org.x/y", ""]],
    "=b": no("a label needs a name"),
    "a b=c": no("without blanks"),
  });
});

describe("-e", () => {
  const one = (text: string) => {
    const environment: Variables = new Map([["UNSET", "1"]]);
    addVariable(environment, text, { HOME: "/root", EMPTY: "" });
    return Object.fromEntries(environment);
  };
  rows(one, {
    "A=b=c": { UNSET: "1", A: "b=c" },
    "A=": { UNSET: "1", A: "" },
    "HOME": { UNSET: "1", HOME: "/root" },
    "EMPTY": { UNSET: "1", EMPTY: "" },
    "UNSET": { UNSET: null },
    "HOSTNAME": { UNSET: "1", HOSTNAME: null },
    "=b": no("a variable needs a name"),
    "A=\0": no("it contains a NUL character"),
    "": no("a variable needs a name"),
  });
});

describe("--env-file", () => {
  const read = (content: string | Uint8Array) => {
    const environment: Variables = new Map();
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    addVariableLines(environment, { bytes, path: "x.env", caller: { HOME: "/root" } });
    return Object.fromEntries(environment);
  };
  rows(read, {
    "": {},
    "\ufeffA=1\n# no\n\n  B=2 \nHOME\nUNSET\nC='q'\r\nD=": { A: "1", B: "2 ", HOME: "/root", C: "'q'", D: "" },
    "A=1\nA=2": { A: "2" },
    "A=1\nB C=2": no('the environment file "x.env" has the name "B C" with a blank in line 2'),
    "=1": no("has a variable without a name in line 1"),
  });
  test("a file that is not UTF-8 is refused", () => expect(() => read(Uint8Array.of(0x41, 0xff))).toThrow("not UTF-8"));
});

describe("-v", () => {
  const bind = (source: string, target: string, readOnly = false) => {
    return { kind: "bind", source, target, readOnly, recursive: true };
  };
  rows(parseVolume, {
    "/a:/b": bind("/a", "/b"),
    "/a/../c/:/b//c/": bind("/c", "/b/c"),
    "/a:/b:ro": bind("/a", "/b", true),
    "/a:/b:rw,z": bind("/a", "/b"),
    "./a:/b": bind(`${process.cwd()}/a`, "/b"),
    "/a:b": no('the target "b" is not an absolute path'),
    "/a:/": no("the target cannot be /"),
    "/a:/b/..": no("the target cannot be /"),
    "/a:/b:rx": no('the option "rx" is not known'),
    "/a:/b:readonly": no('the option "readonly" is not known, did you mean ro?'),
    "/a:/b:": no('the option "" is not known'),
    "/a:/b:rshared": no("not supported yet"),
    "/a:/b:ro,rw": no("may be said once"),
    "/a:/b:ro:ro": no("not HOST:DIR[:ro]"),
    ":/b": no("the directory of the host is missing"),
    "data:/b": no('named volumes are not supported yet, for a directory write "./data"'),
    "/b": no("anonymous volumes are not supported yet"),
  });
});

describe("--tmpfs", () => {
  const tmpfs = { kind: "tmpfs", target: "/t", readOnly: false, executable: false, size: null, mode: null };
  const plain = { ...tmpfs, setUid: false, inodes: null, uid: null, gid: null };
  rows(parseTmpfs, {
    "/t": plain,
    "/t:": plain,
    "/t:size=64m,mode=1770,exec,ro": { ...plain, size: 64 << 20, mode: 0o1770, executable: true, readOnly: true },
    "/t:uid=1000,gid=100,nosuid,nodev,noexec,rw": { ...plain, uid: 1000, gid: 100 },
    "/t:size=50%,nr_inodes=1k,suid": { ...plain, size: "50%", inodes: 1024, setUid: true },
    "/t:suid,exec,nosuid,noexec": plain,
    "/t:size=0": { ...plain, size: 0 },
    "/t:nr_inodes=few": no('"few" is not a number'),
    "/t:size=x": no('"x" is not a size'),
    "/t:size=5%%": no("is not a size"),
    "/t:size": no("not a size"),
    "/t:mode=999": no("not an octal mode"),
    "/t:uid=-1": no("not a uid"),
    "/t:dev": no('"dev" is not supported: no device works in a tmpfs'),
    "/t:huge=always": no('the option "huge=always" is not supported'),
    "t": no("not an absolute path"),
    "/": no("cannot be /"),
  });
});

describe("--mount", () => {
  const plain = { kind: "tmpfs", target: "/t", executable: false, setUid: false, inodes: null };
  const tmpfs = { ...plain, uid: null, gid: null };
  const bind = { kind: "bind", source: "/a", target: "/b", readOnly: false, recursive: true };
  rows(parseMount, {
    "type=bind,source=/a,target=/b": bind,
    "Type=BIND,Source=/a,TARGET=/b,bind-propagation=rprivate,consistency=cached": bind,
    "type=bind,src=/a,dst=/b,ro": { ...bind, readOnly: true },
    "type=bind,src=/a,dst=/b,readonly=1": { ...bind, readOnly: true },
    "type=bind,src=/a,destination=/b,readonly=false": bind,
    "type=bind,src=/a,dst=/b,bind-nonrecursive": { ...bind, recursive: false },
    "type=bind,src=/a,dst=/b,bind-recursive=disabled": { ...bind, recursive: false },
    "type=bind,src=/a,dst=/b,readonly,bind-recursive=readonly": { ...bind, readOnly: true },
    "type=bind,src=/a,dst=/b,bind-recursive=writable": no("bind-recursive=writable is not supported yet"),
    'type=bind,"src=/a,""b""",dst=/b': { ...bind, source: '/a,"b"' },
    'type=bind,src="/a",dst=/b': no("a quote is out of place"),
    'type=bind,"src=/a': no("a quote is out of place"),
    "type=bind,src=/a,dst=/b,": no('"" is not known'),
    "type=bind,src=/a,dst=/b,volume-nocopy": no("volume-nocopy is not supported yet"),
    "type=tmpfs,target=/t,tmpfs-size=0": { ...tmpfs, readOnly: false, size: null, mode: null },
    "type=tmpfs,target=/t": { ...tmpfs, readOnly: false, size: null, mode: null },
    "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700,ro": { ...tmpfs, readOnly: true, size: 1 << 20, mode: 0o700 },
    "src=/a,dst=/b": no("type=volume is not supported yet"),
    "type=bnd,src=/a,dst=/b": no("type=bnd is not known"),
    "type=bind,dst=/b": no("source= is missing"),
    "type=bind,src=/a": no("target= is missing"),
    "type=bind,src=/a,dst=b": no("not an absolute path"),
    "type=bind,src=/a,dst=/b,tmpfs-size=1m": no("tmpfs-size= does not belong to type=bind"),
    "type=tmpfs,src=/a,dst=/b": no("a tmpfs has no source"),
    "type=bind,src=/a,dst=/b,bind-propagation=shared": no("bind-propagation=shared is not supported yet"),
    "type=bind,src=/a,dst=/b,bind-propagation=x": no("bind-propagation=x is not known"),
    "type=bind,src=/a,taget=/b": no('"taget" is not known, did you mean target?'),
    "type=bind,src,dst=/b": no('"src" needs a value'),
    "type=bind,src=/a,dst=/b,ro=maybe": no("neither true nor false"),
    "": no('"" is not known'),
  });
});

describe("--network", () => {
  const wish = (mode: object, ip: string | null = null, mac: string | null = null) => ({ mode, ip, mac });
  rows(parseNetwork, {
    "bridge": wish({ kind: "bridge" }),
    "default": wish({ kind: "bridge" }),
    "none": wish({ kind: "none", loopback: "up" }),
    "none,lo=down": wish({ kind: "none", loopback: "down" }),
    "host": wish({ kind: "host" }),
    "ptp": wish({ kind: "ptp", gateway: true, masquerade: true }),
    "ptp,gateway=off,masquerade=off": wish({ kind: "ptp", gateway: false, masquerade: false }),
    "name=bridge,ip=172.16.0.9": wish({ kind: "bridge" }, "172.16.0.9"),
    "bridge,mac-address=02-53-AC-10-00-09": wish({ kind: "bridge" }, null, "02:53:ac:10:00:09"),
    "container:web": wish({ kind: "container", container: "web" }),
    "ns:/run/netns/a,b": wish({ kind: "ns", path: "/run/netns/a,b" }),
    "container:": no("the container's name is missing"),
    "ns:": no("the path of the namespace is missing"),
    "brigde": no("did you mean bridge?"),
    "mynet": no("networks of one's own are not supported yet"),
    "": no("networks of one's own"),
    "none,lo=sideways": no('"sideways" is neither up nor down'),
    "ptp,gateway=maybe": no("neither on nor off"),
    "bridge,lo=down": no('"lo" is not an option of bridge'),
    "host,ip=1.2.3.4": no('"ip" is not an option of host'),
    "none,lo=down,lo=up": no('"lo" is said twice'),
    "bridge,name=host": no('"name" is said twice'),
    "bridge,fast": no('"fast" is not OPTION=VALUE'),
    "bridge,ip=300.1.1.1": no("not an IPv4 address"),
  });
});

describe("the flags around --network", () => {
  rows((ip) => parseNetworkFlags({ ip }).ip, {
    "172.16.0.9": "172.16.0.9",
    "172.16.0.09": no("not an IPv4 address"),
    "172.16.0": no("not an IPv4 address"),
    "::1": no("not an IPv4 address"),
    "": null,
  });
  rows((mac) => parseNetworkFlags({ "mac-address": mac }).mac, {
    "02:53:AC:10:00:02": "02:53:ac:10:00:02",
    "0253.AC10.0002": "02:53:ac:10:00:02",
    "": null,
    "01:00:5e:00:00:01": no("multicast"),
    "00:00:00:00:00:00": no("zero address"),
    "02:53:ac:10:00": no("not a MAC address"),
    "02:53:ac:10:00:0g": no("not a MAC address"),
  });
  rows((dns) => parseNetworkFlags({ dns: dns.split(" ") }).dns, {
    "1.1.1.1 2001:db8::53": ["1.1.1.1", "2001:db8::53"],
    "none": "none",
    "none 1.1.1.1": no("--dns none cannot be used with another --dns"),
    "one.one": no("not an IP address"),
  });
  rows((search) => parseNetworkFlags({ "dns-search": search.split(" ") }).dnsSearch, {
    "a.org b.": ["a.org", "b"],
    ".": ["."],
    "": no("not a domain"),
    "-a": no("not a domain"),
    "a..b": no("not a domain"),
    "1.2": no("not a domain"),
  });
  rows((option) => parseNetworkFlags({ "dns-option": [option] }).dnsOptions, {
    "ndots:2": ["ndots:2"],
    "a\nnameserver 6.6.6.6": no("not an option of resolv.conf"),
  });
  rows((host) => parseNetworkFlags({ "add-host": [host] }).addHosts, {
    "db:10.0.0.5": [{ name: "db", address: "10.0.0.5" }],
    "db=10.0.0.5": [{ name: "db", address: "10.0.0.5" }],
    "db:::1": [{ name: "db", address: "::1" }],
    "db:[2001:db8::1]": [{ name: "db", address: "2001:db8::1" }],
    "up:host-gateway": [{ name: "up", address: "host-gateway" }],
    "db": no("not NAME:ADDRESS"),
    ":1.2.3.4": no("not NAME:ADDRESS"),
    "db:nowhere": no('"nowhere" is not an IP address'),
    "a\nb:1.2.3.4": no("not NAME:ADDRESS"),
    "a#b:1.2.3.4": no("not a host name"),
  });
  test("an address that is given in two places is refused, and so are two networks", () => {
    const twice = (flags: NetworkFlags) => () =>
      parseNetworkFlags({ network: ["bridge,ip=172.16.0.8,mac-address=02:00:00:00:00:01"], ...flags });
    expect(twice({ ip: "172.16.0.9" })).toThrow("--ip cannot be used with --network …,ip=");
    expect(twice({ "mac-address": "02:00:00:00:00:02" })).toThrow("--mac-address cannot be used with --network");
    expect(twice({})().ip).toBe("172.16.0.8");
    expect(() => parseNetworkFlags({ network: ["bridge", "none"] })).toThrow("more than one --network");
  });
});

test("addresses are told from what only looks like them", () => {
  for (const good of ["::", "::1", "fe80::1", "2001:db8::1.2.3.4", "1.2.3.4"]) {
    expect([good, isIpAddress(good)]).toEqual([good, true]);
  }
  for (const bad of ["", ":", "1:2", "g::1", "::1%eth0", "[::1]", "1.2.3.4.5", "::1 "]) {
    expect([bad, isIpAddress(bad)]).toEqual([bad, false]);
  }
  expect(isIpv4("255.255.255.255")).toBe(true);
  expect(isIpv4("256.0.0.1")).toBe(false);
});

describe("the word for a root file system", () => {
  const isDirectory = (name: string) => name === "rootfs" || name === "busybox";
  rows((word) => readRootfsWord(word, isDirectory) ?? null, {
    "busybox": { kind: "busybox" },
    "./busybox": { kind: "directory", path: `${process.cwd()}/busybox` },
    "/srv/root/": { kind: "directory", path: "/srv/root" },
    "..": { kind: "directory", path: process.cwd().replace(/\/[^/]*$/, "") },
    "rootfs": { kind: "directory", path: `${process.cwd()}/rootfs` },
    "alpine": null,
    "": null,
  });
  rows((word) => rootfsFromWord(word, isDirectory), {
    "alpine": no('"alpine" is neither busybox nor a directory (images are not supported yet)'),
    "busibox": no("did you mean busybox?"),
  });
});
