/** The seccomp filter from inside: each call that it denies, in every spelling, and what it lets through. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeRootfs, proberBytes, results, TAKE_PROBER } from "../lab/prober.ts";
import { Lab } from "../lab.ts";

let lab: Lab;
let root: string;
beforeAll(() => {
  lab = Lab.create();
  root = makeRootfs(`${lab.directory}/root`);
});
afterAll(() => lab[Symbol.dispose]());

/** What the prober tells of its attempts in a container, and of the same ones on the host. */
function inside(flags: readonly string[], verb: string): Record<string, string> {
  return results(lab.output([lab.binary, "run", "--rm", "--network", "none", ...flags, root, "/bin/prober", verb]));
}
/** The same in a container of the built-in busybox without a flag, which is started by another program. */
function insidePlain(verb: string): Record<string, string> {
  const argv = [lab.binary, "run", "-i", "busybox", "sh", "-c", `${TAKE_PROBER} && exec prober ${verb} </dev/null`];
  return results(lab.output(argv, { stdin: proberBytes() }));
}
const outside = (verb: string) => results(lab.output([`${root}/bin/prober`, verb]));

const DENIED = {
  keyctl: "EPERM",
  add_key: "EPERM",
  request_key: "EPERM",
  bpf: "EPERM",
  perf_event_open: "EPERM",
  userfaultfd: "EPERM",
  kexec_load: "EPERM",
  kexec_file_load: "EPERM",
  open_by_handle_at: "EPERM",
  syslog: "EPERM",
  io_uring_setup: "EPERM",
  io_uring_enter: "EPERM",
  io_uring_register: "EPERM",
  clone3: "ENOSYS",
  "unshare-user": "EPERM",
  "unshare-user-among": "EPERM",
  "clone-user": "EPERM",
  "clone-user-high": "EPERM",
  "socket-vsock": "EPERM",
  "socket-vsock-high": "EPERM",
  "socketpair-vsock": "EPERM",
  tiocsti: "EPERM",
  "tiocsti-high": "EPERM",
  "tiocsti-higher": "EPERM",
};
const ALLOWED = { "socket-inet": "ok", "unshare-files": "ok" };

test("every call that the filter denies is denied, whatever is in the halves of words that the kernel ignores", () => {
  expect(inside([], "calls")).toEqual({ ...DENIED, ...ALLOWED });
  expect(insidePlain("calls")).toEqual({ ...DENIED, ...ALLOWED });
});

test("without the filter, these very calls get other answers: it is the filter that denies them", () => {
  const host = outside("calls");
  const same = Object.entries(DENIED).filter(([name, result]) => host[name] === result).map(([name]) => name);
  expect(same).toEqual([]);
  expect(host).toMatchObject(ALLOWED);
});

test("so they are for another user, with no_new_privs, and for a terminal of the container's own", () => {
  expect(inside(["-u", "1000"], "calls")).toEqual({ ...DENIED, ...ALLOWED });
  expect(inside(["--security-opt", "no-new-privileges"], "calls")).toEqual({ ...DENIED, ...ALLOWED });
  expect(inside(["-u", "1000", "--security-opt", "no-new-privileges"], "calls")).toEqual({ ...DENIED, ...ALLOWED });
  const terminal = lab.output([lab.binary, "run", "--rm", "-t", "--network", "none", root, "/bin/prober", "calls"]);
  expect(results(terminal.replaceAll("\r", ""))).toEqual({ ...DENIED, ...ALLOWED });
});

test("programs started inside are under the filter as well, and it cannot be taken off", () => {
  const script = "grep Seccomp: /proc/self/status; setarch x86_64 true 2>/dev/null; sh -c 'exec /bin/prober calls'";
  const output = lab.output([lab.binary, "run", "--rm", "--network", "none", root, "/bin/busybox", "sh", "-c", script]);
  expect(output).toStartWith("Seccomp:\t2\n");
  expect(results(output.slice(output.indexOf("\n") + 1))).toEqual({ ...DENIED, ...ALLOWED });
});

test("calls of another ABI of the same machine do not exist: i386 and x32 on x86-64", () => {
  for (const [name, result] of Object.entries({ ...inside([], "abi"), ...insidePlain("abi") })) {
    expect([name, ["ENOSYS", "none"].includes(result)]).toEqual([name, true]);
  }
});

test("a capability that was added opens what it stands before, and nothing else", () => {
  const opened = (capability: string) => {
    const answers = inside(["--cap-add", capability], "calls");
    const denied: Readonly<Record<string, string>> = DENIED;
    return Object.keys(answers).filter((name) => name in denied && answers[name] !== denied[name]);
  };
  expect(opened("DAC_READ_SEARCH")).toEqual(["open_by_handle_at"]);
  expect(opened("SYS_BOOT")).toEqual(["kexec_load", "kexec_file_load"]);
  expect(opened("PERFMON")).toEqual(["perf_event_open"]);
  expect(opened("BPF")).toEqual(["bpf"]);
  expect(opened("SYSLOG")).toEqual(["syslog"]);
  expect(opened("NET_ADMIN")).toEqual([]);
  expect(opened("SYS_PTRACE")).toEqual([]);
});

test("with --privileged there is no filter", () => {
  expect(inside(["--privileged"], "calls")).toMatchObject({ "unshare-user": "ok", "clone-user": "ok" });
  expect(inside(["--privileged"], "abi")["x32-getpid"]).toBe(outside("abi")["x32-getpid"] ?? "");
});
