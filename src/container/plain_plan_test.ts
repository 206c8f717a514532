import { describe, expect, test } from "bun:test";
import { surroundChild } from "../../ffi/child_program.ts";
import { type Argument, type Call, isCall, type Item, type SyscallProgram } from "../../ffi/program.ts";
import { capabilitySet, DEFAULT_CAPABILITIES } from "../kernel/capabilities.ts";
import { seccompFilter } from "../kernel/seccomp.ts";
import { DEVICES } from "./devices.ts";
import { environmentOf, executablePaths } from "./environment.ts";
import { plainProgram } from "./plain_plan.ts";
import { PLAIN_FILES } from "./plain_shape.ts";
import { CHILD_NAMESPACES, childProgram, planContainer } from "./plan.ts";
import { PLAIN_REQUEST } from "./request.ts";
import { specFromRequest } from "./spec.ts";

const BOUNDING = (1n << 41n) - 1n;
const COMMAND = ["ls", "-l", "/ü"];
const HOSTNAME = "box";
const LAYER = { lower: "/d/lower", upper: "/d/c/upper", work: "/d/c/work" };
const FDS = { go: 40, status: 43, cgroup: 44, network: 45, parentOnly: [46, 47], stdio: [12, 13, 14] } as const;
const TREES = new Map([...PLAIN_FILES, ...DEVICES.map(([name]) => `/dev/${name}`)].map((path, i) => [path, 20 + i]));
const ENVIRONMENT = environmentOf({ asked: new Map([["A", "b"]]), hostname: HOSTNAME, terminal: false, home: "/root" });

/** The program of the same container by its own plan. */
function plannedProgram(): SyscallProgram {
  const request = { ...PLAIN_REQUEST, command: COMMAND, environment: new Map([["A", "b"]]) };
  const spec = specFromRequest(request, {
    rootPath: LAYER.lower,
    hostname: HOSTNAME,
    user: { uid: 0, gid: 0, additionalGids: [0], home: "/root" },
    boundingSet: BOUNDING,
    openFilesLimit: 4096,
    network: "new",
    files: new Map(PLAIN_FILES.map((path) => [path, `/run${path}`])),
    cgroup: "unified",
  });
  const plan = planContainer(spec, {
    root: { kind: "overlay", ...LAYER, memory: null },
    late: new Map(),
    trees: TREES,
    existing: new Set(["/proc", "/dev", "/sys", ...PLAIN_FILES]),
    fileTargets: new Set(PLAIN_FILES),
    boundingSet: BOUNDING,
    filter: seccompFilter({ machine: "x64", capabilities: capabilitySet(DEFAULT_CAPABILITIES) }),
    parentOnly: FDS.parentOnly,
    network: { fd: FDS.network, name: "network" },
    cgroups: [],
    stdio: { descriptors: FDS.stdio, owned: [] },
    go: FDS.go,
    workingDirectoryExists: true,
    beforeExec: [],
  });
  const options = { flags: CHILD_NAMESPACES, shareMemory: true, cgroup: FDS.cgroup };
  return surroundChild(childProgram(plan, { status: FDS.status }), options);
}

const PARAMETERS: Readonly<Record<string, number>> = {
  cgroup: FDS.cgroup,
  network: FDS.network,
  go: FDS.go,
  "before go": FDS.go - 1,
  "after go": FDS.go + 1,
  "before status": FDS.status - 1,
  "after status": FDS.status + 1,
  "parent only 0": FDS.parentOnly[0],
  "parent only 1": FDS.parentOnly[1],
  "standard input": FDS.stdio[0],
  "standard output": FDS.stdio[1],
  "standard error": FDS.stdio[2],
  "hostname length": HOSTNAME.length,
  "open files": 4096,
  ...Object.fromEntries(Array.from(TREES, ([path, fd]) => [`tree ${path}`, fd])),
};
const TEXTS: Readonly<Record<string, string>> = {
  hostname: HOSTNAME,
  ...LAYER,
  ...Object.fromEntries(executablePaths("ls", ENVIRONMENT).map((path, index) => [`path ${index}`, path])),
};

function filledIn(argument: Argument): unknown {
  if (typeof argument !== "object") return Number(argument);
  if ("words" in argument) return argument.words.map(filledIn);
  if ("bytes" in argument) return argument.bytes.toHex();
  if ("param" in argument) {
    if (argument.param === "argv") return [...COMMAND.map((text) => ({ text })), 0];
    if (argument.param === "envp") return [...ENVIRONMENT.map((text) => ({ text })), 0];
    return PARAMETERS[argument.param];
  }
  if ("buffer" in argument && argument.buffer in TEXTS) return { text: TEXTS[argument.buffer] };
  return argument;
}

/** All that a call does and leads to, but what it says of itself. */
function effect({ operation: _operation, subject: _subject, args, ...rest }: Call) {
  return { ...rest, args: args.map(filledIn) };
}

/** A stream is told only when the program runs, so it is prepared for all that the plan is certain of: left apart here. */
function withoutPreparation(calls: readonly Call[]): Call[] {
  const streams = calls.filter(({ call, args: [first] }) => call === "dup3" && "param" in (first as object));
  const places = streams.map((stream) => calls.indexOf(stream));
  const added = places.flatMap((place) => [place + 1, place + 2, place + 3]);
  return calls.filter((_call, index) => !added.includes(index)).map((call) => {
    if (!streams.includes(call)) return call;
    const { tolerate: _tolerate, onError: _onError, ...rest } = call;
    return rest;
  });
}

const isSignal = ({ call }: Call) => call === "rt_sigaction" || call === "rt_sigprocmask";

describe("the plain program", () => {
  test("filled in, makes just the calls of the plan of such a container, in that order", () => {
    const plain = plainProgram("x64").items.filter(isCall).filter((call) => !isSignal(call));
    const planned = plannedProgram().items.filter(isCall).filter((call) => !isSignal(call));
    expect(withoutPreparation(plain).map(effect)).toEqual(planned.map(effect));
    expect(plain.length).toBeGreaterThan(150);
  });

  test("has every label and failure mode where the plan has it", () => {
    const isOfStreams = (item: Item) => /null device for|stream . is there/.test(JSON.stringify(item));
    const others = (program: SyscallProgram) => program.items.filter((item) => !isCall(item) && !isOfStreams(item));
    expect(others(plainProgram("x64"))).toEqual(others(plannedProgram()));
  });

  test("leaves every signal but KILL and STOP as new, then unblocks all, just before the first execve", () => {
    const calls = plainProgram("x64").items.filter(isCall);
    const resets = calls.filter(({ call }) => call === "rt_sigaction").map(({ args }) => args[0]);
    expect(resets).toEqual(Array.from({ length: 64 }, (_, index) => index + 1).filter((n) => n !== 9 && n !== 19));
    const first = calls.findIndex(({ call }) => call === "execve");
    const last = calls.findLastIndex(({ call }) => call === "rt_sigprocmask");
    expect(calls.slice(last + 1, first).map(({ call }) => call)).toEqual(["openat2"]);
  });

  test("is prepared for a stream that is in its place already, or is no descriptor", () => {
    const { items } = plainProgram("x64");
    for (const to of [0, 1, 2]) {
      const at = items.findIndex((item) => isCall(item) && item.call === "dup3" && item.args[1] === to);
      const null_ = `null device for ${to}`;
      expect(items.slice(at, at + 7)).toMatchObject([
        { call: "dup3", args: [{}, to, 0], tolerate: ["EINVAL"], onError: null_ },
        { call: "fcntl", args: [to, 2, 0] },
        { jump: `stream ${to} is there` },
        { label: null_ },
        { call: "openat", args: [{ result: "mount /dev" }, { text: "null" }, 0o2000000 | (to === 0 ? 0 : 1)] },
        { call: "dup3", args: [{ result: null_ }, to, 0] },
        { label: `stream ${to} is there` },
      ]);
    }
  });

  test("has no stand-in left in it, on any machine", () => {
    for (const machine of ["x64", "arm64"] as const) {
      const text = JSON.stringify(plainProgram(machine).items, (_key, value) => {
        return value instanceof Uint8Array ? value.toHex() : value as unknown;
      });
      expect(text.includes("\\u0001")).toBe(false);
      expect(text.includes(String(0x5eed0000).slice(0, 6))).toBe(false);
    }
  });
});
