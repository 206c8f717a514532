import { expect, test } from "bun:test";
import { type Argument, type Call, isCall } from "../../ffi/program.ts";
import { capabilitySet, DEFAULT_CAPABILITIES } from "../kernel/capabilities.ts";
import { childProgram, planContainer, type PlanInputs } from "./plan.ts";
import { PLAIN_REQUEST, type RunRequest } from "./request.ts";
import { type SpecFacts, specFromRequest } from "./spec.ts";

const REQUEST: RunRequest = { ...PLAIN_REQUEST, command: ["sh", "-c", "echo hello"] };
const ALL = (1n << 41n) - 1n;
const DEVICES = ["null", "zero", "full", "random", "urandom", "tty"];
const TREES = new Map(DEVICES.map((name, index) => [`/dev/${name}`, 20 + index]));
const INPUTS: PlanInputs = {
  root: { kind: "overlay", lower: "/data/lower", upper: "/data/upper", work: "/data/work", memory: null },
  trees: TREES,
  late: new Map(),
  existing: new Set(["/proc", "/dev", "/sys"]),
  fileTargets: new Set(),
  boundingSet: ALL,
  filter: new Uint8Array(16),
  parentOnly: [9],
  network: { fd: 10, name: "net" },
  cgroups: [{ path: "/sys/fs/cgroup/x/cgroup.procs", fd: 11 }],
  stdio: { descriptors: [12, 1, 2], owned: [1] },
  go: 8,
  workingDirectoryExists: false,
  beforeExec: [{ call: "rt_sigprocmask", args: [2, 0, 0, 8], operation: "unblock", subject: "all signals" }],
};

const FACTS: SpecFacts = {
  rootPath: "/data/lower",
  hostname: "box",
  user: { uid: 0, gid: 0, additionalGids: [], home: "/root" },
  boundingSet: ALL,
  openFilesLimit: 4096,
  network: "new",
  files: new Map(),
  cgroup: "unified",
};

interface Asked {
  readonly request?: Partial<RunRequest>;
  readonly inputs?: Partial<PlanInputs>;
  readonly uid?: number;
}

function planOf({ request = {}, inputs = {}, uid = 0 }: Asked = {}) {
  const user = { uid, gid: uid, additionalGids: [], home: "/root" };
  const spec = specFromRequest({ ...REQUEST, ...request }, { ...FACTS, user });
  return planContainer(spec, { ...INPUTS, ...inputs });
}

function callsOf(asked: Asked = {}): Call[] {
  return childProgram(planOf(asked), { status: 30 }).items.filter(isCall);
}

/** Where the first call of that kind stands. */
function at(calls: readonly Call[], which: (call: Call) => boolean): number {
  const index = calls.findIndex(which);
  if (index < 0) throw new Error("there is no such call");
  return index;
}
const named = (name: string) => ({ call }: Call) => call === name;
const prctl = (option: number) => ({ call, args }: Call) => call === "prctl" && args[0] === option;

test("the parent's own descriptors are closed first of all", () => {
  const calls = callsOf();
  expect(at(calls, ({ call, args }) => call === "close" && args[0] === 9)).toBeLessThan(at(calls, named("setsid")));
});

test("the control group is joined before its namespace is taken", () => {
  const calls = callsOf();
  expect(at(calls, ({ call, args }) => call === "write" && args[0] === 11)).toBeLessThan(at(calls, named("unshare")));
});

test("the network namespace is joined before /sys is mounted, which shows it", () => {
  const calls = callsOf();
  expect(at(calls, named("setns"))).toBeLessThan(at(calls, ({ subject }) => subject === "/sys"));
});

test("mounts are private before any is made", () => {
  const calls = callsOf();
  expect(at(calls, named("mount"))).toBeLessThan(at(calls, named("fsopen")));
});

test("nothing but the root is mounted before the host's tree is given up", () => {
  const calls = callsOf({
    request: { mounts: [{ kind: "bind", source: "/s", target: "/a/b", readOnly: false, recursive: true }] },
    inputs: { trees: new Map([...TREES, ["/a/b", 40]]) },
  });
  const gone = at(calls, named("umount2"));
  expect(at(calls, named("pivot_root"))).toBeLessThan(gone);
  expect(calls.slice(0, gone).filter(named("move_mount")).length).toBe(1);
  expect(calls.slice(0, gone).some(({ call }) => call === "mkdirat" || call === "mknodat" || call === "openat2")).toBe(
    false,
  );
});

test("outer mounts come before inner ones", () => {
  const tmpfs = (target: string) =>
    ({
      kind: "tmpfs",
      target,
      readOnly: false,
      executable: false,
      setUid: false,
      inodes: null,
      size: null,
      mode: null,
      uid: null,
      gid: null,
    }) as const;
  const { steps } = planOf({ request: { mounts: [tmpfs("/a/b/c"), tmpfs("/a"), tmpfs("/a/b")] } });
  const targets = steps.map(({ command }) => command).filter((command) => / \/a(\/|$)/.test(command)).map((command) =>
    command.split(" ").at(-1)
  );
  expect(targets).toEqual(["/a", "/a/b", "/a/b/c"]);
});

test("sysctls are written after /proc is there and before /proc/sys is read-only", () => {
  const calls = callsOf({ request: { sysctls: new Map([["net.ipv4.ip_forward", "0"]]) } });
  const written = at(calls, ({ subject, call }) => subject === "net.ipv4.ip_forward=0" && call === "write");
  expect(at(calls, ({ subject, call }) => subject === "/proc" && call === "move_mount")).toBeLessThan(written);
  expect(written).toBeLessThan(
    at(calls, ({ operation, subject }) => operation === "make read-only" && subject === "/proc/sys"),
  );
});

test("masks use descriptors, never a path of the container", () => {
  for (const call of callsOf().filter(({ operation }) => operation === "mask")) {
    if (call.call === "open_tree") {
      expect(typeof call.args[0] === "number" || "result" in (call.args[0] as object)).toBe(true);
    }
    if (call.call === "move_mount") expect(call.args[2]).toHaveProperty("result");
  }
});

test("directories are masked by one empty file system for all of them", () => {
  const made = callsOf().filter(({ call, operation }) => call === "fsopen" && operation === 'mount "tmpfs" on');
  expect(made.map(({ subject }) => subject)).toEqual(["/dev", "/dev/shm", "/sys/firmware"]);
});

test("nothing is taken of a mount that is attached nowhere, nor attached to one: before Linux 6.15 neither can be done", () => {
  const trees = new Map([...TREES, ["/dev/pts", 42], ["/data", 77]]);
  const mounts = [{ kind: "bind", source: "/x", target: "/data", readOnly: true, recursive: true }] as const;
  const name = (argument: Argument | undefined) => JSON.stringify(argument);
  const taken: string[] = [];
  const attached = new Set<string>();
  for (const { call, args: [from, , to] } of callsOf({ request: { tty: true, mounts }, inputs: { trees } })) {
    if (call === "open_tree") {
      taken.push(name(from));
      expect(attached).toContain(name(from));
    }
    if (call !== "move_mount") continue;
    attached.add(name(from));
    if (typeof to === "object" && "result" in to && to.result.startsWith("mount /")) {
      expect(attached).toContain(name(to));
    }
  }
  expect(taken.length).toBeGreaterThan(10);
});

test("a path that this kernel lacks gets no mask, and nothing else is a reason not to mask it", () => {
  const ofMasks = callsOf().filter(({ operation }) => operation === "mask" || operation === "make read-only");
  expect(new Set(ofMasks.flatMap(({ tolerate = [] }) => tolerate))).toEqual(new Set(["ENOENT", "EBADF"]));
  for (const { call, tolerate } of ofMasks) {
    // What is put over a path may find nothing there; the mount that is put there must exist.
    if (tolerate?.includes("EBADF")) expect(call).not.toBe("open_tree");
  }
  const masks = ofMasks.filter(({ operation }) => operation === "mask");
  expect(masks.filter(({ tolerate }) => tolerate).every(({ call }) => call === "move_mount")).toBe(true);
});

test("the root becomes read-only after all mount points were made in it", () => {
  const calls = callsOf({ request: { readOnly: true, workdir: "/work" } });
  const readOnly = at(calls, ({ call, subject }) => call === "mount_setattr" && subject === "/");
  expect(readOnly).toBeGreaterThan(calls.findLastIndex(named("mkdirat")));
});

test("seccomp is loaded before capabilities are dropped, unless no_new_privs makes that needless", () => {
  const without = callsOf();
  expect(at(without, named("seccomp"))).toBeLessThan(at(without, named("setresuid")));
  expect(at(without, named("seccomp"))).toBeLessThan(at(without, named("capset")));
  const calls = callsOf({ request: { noNewPrivileges: true } });
  expect(at(calls, named("capset"))).toBeLessThan(at(calls, prctl(38)));
  expect(at(calls, prctl(38))).toBeLessThan(at(calls, named("seccomp")));
});

test("a privileged container has no filter, no masks and all that the host can give", () => {
  const calls = callsOf({ request: { privileged: true }, inputs: { filter: null } });
  expect(calls.some(named("seccomp"))).toBe(false);
  expect(calls.some(prctl(24))).toBe(false);
  expect(calls.some(({ operation }) => operation === "mask" || operation === "make read-only")).toBe(false);
});

test("every capability that is not granted leaves the bounding set, while CAP_SETPCAP is there", () => {
  const calls = callsOf();
  const dropped = calls.filter(prctl(24)).map(({ args }) => args[1] as number);
  const kept = capabilitySet(DEFAULT_CAPABILITIES);
  for (let number = 0; number < 41; number++) {
    expect([number, dropped.includes(number)]).toEqual([number, (kept & (1n << BigInt(number))) === 0n]);
  }
  expect(calls.findLastIndex(prctl(24))).toBeLessThan(at(calls, named("capset")));
});

test("groups change before the group, the group before the user", () => {
  const calls = callsOf({ uid: 1000 });
  const order = ["setgroups", "setresgid", "setresuid", "capset"].map((name) => at(calls, named(name)));
  expect(order).toEqual(order.toSorted((a, b) => a - b));
});

test("the parent's death is asked for after the last change of credentials", () => {
  const calls = callsOf({ uid: 1000, request: { noNewPrivileges: true } });
  const asked = at(calls, prctl(1));
  for (const name of ["setresuid", "capset", "seccomp"]) expect(at(calls, named(name))).toBeLessThan(asked);
});

test("all descriptors but the two pipes and the streams are closed before the container's paths matter", () => {
  const calls = callsOf();
  const closed = calls.filter(named("close_range")).map(({ args }) => args.slice(0, 2));
  expect(closed).toEqual([[3, 7], [9, 29], [31, 0xffffffff]]);
  expect(calls.findLastIndex(named("close_range"))).toBeLessThan(at(calls, ({ as }) => as === "enter"));
  expect(at(calls, named("dup3"))).toBeLessThan(at(calls, named("close_range")));
});

test("the pipes may have any two numbers", () => {
  for (
    const [go, status, expected] of [
      [3, 4, [[5, 0xffffffff]]],
      [4, 3, [[5, 0xffffffff]]],
      [6, 4, [[3, 3], [5, 5], [7, 0xffffffff]]],
    ] as const
  ) {
    const program = childProgram(planOf({ inputs: { go } }), { status });
    const closed = program.items.filter(isCall).filter(named("close_range")).map(({ args }) => args.slice(0, 2));
    expect(closed as unknown).toEqual(expected);
  }
});

test("the parent's go, and that it still lives, is the last thing before signals are let in and the command is executed", () => {
  const calls = callsOf();
  const go = at(calls, ({ call, args }) => call === "read" && args[0] === 8);
  expect(calls.slice(go + 1).map(({ call }) => call).filter((name) => name !== "openat2")).toEqual([
    "ppoll",
    "rt_sigprocmask",
    ...Array(6).fill("execve"),
  ]);
  expect(calls[go + 1]).toMatchObject({ args: [{ words: [8] }, 1, { words: [0, 0] }, 0, 0], expect: 0 });
});

test("every path of PATH is tried, and only the last failure ends the child", () => {
  const calls = callsOf({ request: { environment: new Map([["PATH", "/a:/b"]]) } }).filter(named("execve"));
  expect(calls.map(({ args }) => args[0])).toEqual([{ text: "/a/sh" }, { text: "/b/sh" }]);
  expect(calls.map(({ tolerate }) => tolerate)).toEqual([["ENOENT", "ENOTDIR", "EACCES"], undefined]);
});

test("sysctls are written before anything that was asked for is mounted, a link's dots being slashes", () => {
  const mounts = [{ kind: "bind", source: "/x", target: "/data", readOnly: false, recursive: true }] as const;
  const sysctls = new Map([["net.ipv4.conf.eth0/1.forwarding", "1"]]);
  const trees = new Map([...TREES, ["/data", 77]]);
  const calls = callsOf({ request: { mounts, sysctls }, inputs: { trees } });
  const path = (text: string) => ({ args }: Call) => (args[1] as { text?: string } | undefined)?.text === text;
  const asked = at(calls, ({ call, args }) => call === "move_mount" && args[0] === 77);
  for (const text of ["sys/net/ipv4/ip_unprivileged_port_start", "sys/net/ipv4/conf/eth0.1/forwarding"]) {
    expect(at(calls, path(text))).toBeLessThan(asked);
  }
});

test("a standard stream never becomes another one", () => {
  expect(() => planOf({ inputs: { stdio: { descriptors: [1, 1, 2], owned: [] } } })).toThrow("is a stream itself");
});

test("the null device is the one of the container's own /dev", () => {
  const calls = callsOf({ inputs: { stdio: { descriptors: ["null", 1, "null"], owned: [] } } });
  const opened = calls.filter(({ call, args }) => call === "openat" && (args[1] as { text: string }).text === "null");
  expect(opened.map(({ args: [directory] }) => directory)).toEqual([{ result: "mount /dev" }, {
    result: "mount /dev",
  }]);
  expect(at(calls, ({ call, args }) => call === "move_mount" && args[0] === TREES.get("/dev/null")))
    .toBeLessThan(calls.indexOf(opened[0] as Call));
});

test("a terminal is the controlling one, after its descriptor has become standard input", () => {
  const asked = {
    request: { tty: true },
    inputs: {
      trees: new Map([...TREES, ["/dev/pts", 42]]),
      stdio: { descriptors: [43, 43, 43], owned: [0] },
    },
  } as const;
  const calls = callsOf(asked);
  const controlling = at(calls, ({ call, args }) => call === "ioctl" && args[1] === 0x540e);
  expect(calls.findLastIndex(named("dup3"))).toBeLessThan(controlling);
  expect(calls.some(({ call, args }) => call === "move_mount" && args[0] === 42)).toBe(true);
});

test("devices of the spec are made below the container's own /dev, the usual ones are left", () => {
  const device = { type: "c", fileMode: 0o660, uid: 0, gid: 20 } as const;
  const spec = specFromRequest(REQUEST, {
    ...FACTS,
    devices: [
      { ...device, path: "/dev/null", major: 1, minor: 3 },
      { ...device, path: "/dev/net/tun", major: 10, minor: 200 },
      { ...device, path: "/dev/sda", type: "b", major: 8, minor: 0x12345 },
    ],
  });
  const { steps } = planContainer(spec, INPUTS);
  const made = steps.filter(({ command }) => command.includes("mknod -m"));
  expect(made.map(({ command }) => command)).toEqual([
    "mkdir -p /dev/net && mknod -m 660 /dev/net/tun c 10 200 && chown 0:20 /dev/net/tun",
    "mknod -m 660 /dev/sda b 8 74565 && chown 0:20 /dev/sda",
  ]);
  const numbers = made.flatMap(({ items }) => items.filter(isCall)).filter(named("mknodat")).map(({ args }) =>
    args.slice(2)
  );
  // makedev(3) of sys/sysmacros.h, in the 32 bits that mknod(2) takes.
  expect(numbers).toEqual([[0o020660, 0x0ac8], [0o060660, 0x12300845]]);
});

test("a mount where the container's isolation stands on its own is refused", () => {
  for (const target of ["/proc", "/proc/sys", "/dev", "/dev/pts", "/sys"]) {
    const mounts = [{ kind: "bind", source: "/x", target, readOnly: false, recursive: true }] as const;
    expect(() => planOf({ request: { mounts } })).toThrow(`Nothing can be mounted on "${target}"`);
  }
});

test("a layer whose path overlayfs would misread is refused", () => {
  for (const upper of ["/a:b", "/a,b", "/a\\b"]) {
    const root = { kind: "overlay", lower: "/l", upper, work: "/w", memory: null } as const;
    expect(() => planOf({ inputs: { root } })).toThrow("The data root must have no");
  }
});

test("every step says what it does, and no result is used before it is made", () => {
  const calls = callsOf({ request: { tty: false, workdir: "/w/x", readOnly: true } });
  const made = new Set<string>();
  for (const call of calls) {
    expect(call.operation).not.toBe("");
    expect(call.subject).not.toBe("");
    for (const argument of call.args) {
      if (typeof argument === "object" && "result" in argument) expect(made).toContain(argument.result);
    }
    if (call.as !== undefined) made.add(call.as);
  }
});

test("every step is one line that a person could type", () => {
  for (
    const { command } of planOf({ request: { tty: true }, inputs: { trees: new Map([...TREES, ["/dev/pts", 42]]) } })
      .steps
  ) {
    expect(command).toMatch(/^[^\n]+$/);
  }
});
