import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { assemble } from "./codegen.ts";
import { failureError, NativeProgram } from "./native.ts";
import type { Call, Item, SyscallProgram } from "./program.ts";
import type { SyscallName } from "./syscalls.ts";

const EBADF = -9;

function call(name: SyscallName, args: Call["args"], options: Partial<Call> = {}): Call {
  return { call: name, args, operation: name, subject: "a test", ...options };
}

/** Fails with EBADF. */
const bad = (options: Partial<Call> = {}) => call("close", [-1], options);
/** Returns 0. */
const zero = (options: Partial<Call> = {}) => call("sched_yield", [], options);
const pid = (options: Partial<Call> = {}) => call("getpid", [], options);

function run(items: readonly Item[], buffers: SyscallProgram["buffers"] = {}) {
  const native = new NativeProgram({ items, buffers });
  const result = native.run();
  return { native, result, failure: native.failure() };
}

test("a program returns its last result, and the results of the calls that have a name", () => {
  const { native, result } = run([pid({ as: "pid" }), call("getppid", [])]);
  expect(native.result("pid")).toBe(process.pid);
  expect(result).toBe(process.ppid);
  expect(native.failure()).toBeUndefined();
});

test("a failing call ends the program, and says which it was and its -errno", () => {
  const { native, failure } = run([pid(), bad({ operation: "close", subject: "that" }), pid({ as: "after" })]);
  expect(failure?.call.subject).toBe("that");
  expect(failure?.result).toBe(EBADF);
  expect(native.result("after")).toBe(0);
  expect(() => native.throwFailure()).toThrow('Cannot close "that": EBADF (Bad file descriptor)');
});

test("tolerated errnos let the program go on, others do not", () => {
  expect(run([bad({ tolerate: ["ENOENT", "EBADF"] }), pid()]).failure).toBeUndefined();
  expect(run([bad({ tolerate: ["ENOENT", "EPERM"] }), pid()]).failure?.result).toBe(EBADF);
});

test("an error jumps to its label without being a failure; a tolerated one does not jump", () => {
  const items = (tolerate: Partial<Call>) => [
    bad({ onError: "handled", ...tolerate }),
    pid({ as: "skipped" }),
    { label: "handled" } as const,
  ];
  const jumped = run(items({}));
  expect(jumped.failure).toBeUndefined();
  expect(jumped.native.result("skipped")).toBe(0);
  expect(run(items({ tolerate: ["EBADF"] })).native.result("skipped")).toBe(process.pid);
});

test("zero jumps by whenZero and is not stored; any other result goes on", () => {
  const zeroed = run([zero({ as: "zero", whenZero: "there" }), pid({ as: "skipped" }), { label: "there" }]);
  expect(zeroed.native.result("skipped")).toBe(0);
  const other = run([pid({ whenZero: "there" }), pid({ as: "skipped" }), { label: "there" }]);
  expect(other.native.result("skipped")).toBe(process.pid);
});

test("a result other than the expected one is a failure, and tells what it was", () => {
  expect(run([pid({ expect: process.pid }), pid({ as: "next" })]).native.result("next")).toBe(process.pid);
  const { failure } = run([pid({ expect: 0, subject: "the pipe" })]);
  expect(failure?.result).toBe(process.pid);
  expect(failureError(failure!).code).toBe("EPIPE"); // it has just been expected
});

test("success jumps by onSuccess, with and without an expected result", () => {
  for (const expected of [{}, { expect: process.pid }]) {
    const items = [pid({ onSuccess: "there", ...expected }), pid({ as: "skipped" }), { label: "there" } as const];
    expect(run(items).native.result("skipped")).toBe(0);
  }
});

test("a failure can go to a label, where the program undoes and ends; the failure stays known", () => {
  const { native, failure } = run([
    { onFailure: { goto: "undo" } },
    bad({ subject: "the middle" }),
    pid({ as: "skipped" }),
    { label: "undo" },
    { onFailure: "return" },
    pid({ as: "undone" }),
  ]);
  expect(failure?.call.subject).toBe("the middle");
  expect(native.result("skipped")).toBe(0);
  expect(native.result("undone")).toBe(process.pid);
});

test("jump and finish do what they say", () => {
  const { native } = run([
    { jump: "over" },
    pid({ as: "first" }),
    { label: "over" },
    pid({ as: "second" }),
    { finish: true },
    pid({ as: "third" }),
  ]);
  expect([native.result("first"), native.result("second"), native.result("third")]).toEqual([0, process.pid, 0]);
});

test("a label may stand before its jump", () => {
  const { native } = run([
    { jump: "start" },
    { label: "end" },
    pid({ as: "last" }),
    { finish: true },
    { label: "start" },
    { jump: "end" },
  ]);
  expect(native.result("last")).toBe(process.pid);
});

test("results, texts, bytes, words and buffers reach the kernel as arguments", () => {
  const bytes = new TextEncoder().encode("hello");
  const iovec = { words: [{ bytes }, bytes.length, { bytes }, 2] };
  const { native, failure } = run([
    call("memfd_create", [{ text: "grüße" }, 0], { as: "file" }),
    call("writev", [{ result: "file" }, iovec, 2], { expect: 7 }),
    call("pread64", [{ result: "file" }, { buffer: "content" }, 64, 0], { as: "count" }),
    call("readlinkat", [-100, { text: "/proc/self/exe" }, { buffer: "link" }, 256], { as: "length" }),
    call("close", [{ result: "file" }]),
  ], { content: 64, link: 256 });
  expect(failure).toBeUndefined();
  expect(new TextDecoder().decode(native.buffer("content").subarray(0, native.result("count")))).toBe("hellohe");
  const link = new TextDecoder().decode(native.buffer("link").subarray(0, native.result("length")));
  expect(link).toBe(process.execPath);
});

test("a constant that stands in two calls lies in memory once, and at an address of 16", () => {
  const text = { text: "/" };
  const code = assemble({ items: [call("chdir", [text]), call("chdir", [text])] }, { base: 0x10000, machine: "arm64" });
  const movs = [...new Uint32Array(code.buffer, 0, code.length / 4)].filter((word) =>
    (word & 0xff80001f) >>> 0 === 0xd2800000
  );
  expect(new Set(movs).size).toBe(1); // both load the same lower half into x0
  expect(((movs[0]! >>> 5) & 0xffff) % 16).toBe(0); // there is one
});

test("the same program gives the same bytes, on both machines", () => {
  const program = { items: [{ label: "a" } as const, pid({ whenZero: "a", tolerate: ["EINTR"], expect: 1 })] };
  for (const machine of ["x64", "arm64"] as const) {
    const [first, second] = [1, 2].map(() => assemble(program, { base: 0x1000, machine }));
    expect(first).toEqual(second!); // there are two
  }
});

test("what is wrong with a program is said before it runs", () => {
  expect(() => run([call("close", [{ result: "nobody" }])])).toThrow('no call is named "nobody"');
  expect(() => run([call("read", [0, { buffer: "nothing" }, 1])])).toThrow('buffer "nothing" is not declared');
  expect(() => run([{ jump: "nowhere" }])).toThrow("never placed");
  expect(() => run([pid({ as: "same" }), pid({ as: "same" })])).toThrow('two calls are named "same"');
  expect(() => run([call("chdir", [{ text: "a\0b" }])])).toThrow("NUL");
  expect(() => run([pid({ as: "x" }), call("chdir", [{ words: [{ result: "x" }] }])])).toThrow("result");
  expect(() => run([pid()]).native.result("unknown")).toThrow("unknown");
});

test("code is executable and not writable, data writable and not executable", () => {
  const { native } = run([call("getpid", [], { as: "x" })], { here: 16 });
  native.buffer("here").fill(1);
  const maps = readFileSync("/proc/self/maps", "utf8").split("\n").filter((line) => line.includes("/dev/zero"));
  expect(maps.length).toBeGreaterThan(0);
  for (const line of maps) expect(line).not.toMatch(/ .wx. /);
  expect(maps.some((line) => / r-xs /.test(line))).toBe(true);
  expect(maps.some((line) => / rw-s /.test(line))).toBe(true);
});

test("a program of a thousand calls with every kind of outcome runs", () => {
  const items: Item[] = [];
  for (let i = 0; i < 1000; i++) {
    items.push(bad({ tolerate: ["EBADF", "EINTR"], as: `bad ${i}`, expect: 0 }), { onFailure: "return" });
    items.push(
      call("getpriority", [0, 0, { result: `bad ${i}` }, { words: [i] }, i, 2 ** 40 + i], { onError: `e${i}` }),
    );
    items.push({ label: `e${i}` });
  }
  const { native, failure } = run(items);
  expect(failure).toBeUndefined();
  expect(native.result("bad 999")).toBe(EBADF);
});

test("disposal gives the memory back", () => {
  const size = () =>
    readFileSync("/proc/self/maps", "utf8").split("\n").filter((line) => line.includes("/dev/zero")).length;
  const before = size();
  {
    using native = new NativeProgram({ items: [pid()] });
    expect(native.run()).toBe(process.pid);
    expect(size()).toBeGreaterThan(before);
  }
  expect(size()).toBe(before);
});
