import { afterEach, expect, test } from "bun:test";
import { makeImage, notesOf } from "./image.ts";
import { MACHINE } from "./libc.ts";
import { mapImage, type NativeProgram } from "./native.ts";
import type { Call, Item, SyscallProgram } from "./program.ts";

/** Somewhere else than the programs of a start. */
const BASE = 0x11_0000_0000;
const open: NativeProgram[] = [];

afterEach(() => {
  for (const native of open.splice(0)) native[Symbol.dispose]();
});

function call(name: Call["call"], args: Call["args"], options: Partial<Call> = {}): Call {
  return { call: name, args, operation: name, subject: "a test", ...options };
}

function map(items: readonly Item[], buffers: SyscallProgram["buffers"] = {}): NativeProgram {
  const native = mapImage(makeImage({ items, buffers }, { base: BASE, machine: MACHINE }));
  if (!native) throw new Error("something lies at the address of the test's image");
  open.push(native);
  return native;
}

test("an image runs as the program that it was made of, however often it is mapped", () => {
  for (let i = 0; i < 3; i++) {
    const native = map([call("getpid", [], { as: "pid" })]);
    native.run();
    expect(native.result("pid")).toBe(process.pid);
    native[Symbol.dispose]();
  }
});

test("where something lies at an image's address, there is no program, and what lies there stays", () => {
  const first = map([call("getpid", [], { as: "pid" })]);
  const image = makeImage({ items: [call("getppid", [])] }, { base: BASE, machine: MACHINE });
  expect(mapImage(image)).toBeUndefined();
  first.run();
  expect(first.result("pid")).toBe(process.pid);
});

test("a program that was given back twice leaves alone what lies in its place by then", () => {
  const first = map([call("getpid", [])]);
  first[Symbol.dispose]();
  const second = map([call("getpid", [], { as: "pid" })]);
  first[Symbol.dispose]();
  second.run();
  expect(second.result("pid")).toBe(process.pid);
});

test("a parameter reaches every call and every constant that names it", () => {
  const native = map([
    call("close", [{ param: "fd" }], { as: "closed", tolerate: ["EBADF"] }),
    call("close", [{ param: "fd" }], { as: "again", tolerate: ["EBADF"] }),
    // pread64(pipe…) would block: a write of the words to memory is seen through prlimit64's reading of them.
    call("prlimit64", [0, 7, { words: [{ param: "soft" }, { param: "hard" }] }, 0], {
      as: "set",
      tolerate: ["EINVAL"],
    }),
  ]);
  native.set("fd", 0x7ffffff0);
  native.set("soft", 2);
  native.set("hard", 1); // a soft limit above the hard one is EINVAL, whoever asks
  native.run();
  expect(native.failure()).toBeUndefined();
  expect(native.result("closed")).toBe(-9);
  expect(native.result("again")).toBe(-9);
  expect(native.result("set")).toBe(-22);
});

test("parameters are whole numbers with a name", () => {
  const native = map([call("close", [{ param: "fd" }])]);
  expect(() => native.set("other", 1)).toThrow('no parameter is named "other"');
  expect(() => native.set("fd", 1.5)).toThrow(RangeError);
  native.set("fd", -1);
  native.run();
  expect(native.failure()?.result).toBe(-9);
});

test("texts go into buffers whole, or not at all", () => {
  const native = map([call("chdir", [{ buffer: "path" }], { as: "entered", tolerate: ["ENOENT"] })], { path: 16 });
  native.setText("path", "/nonexistent-ü"); // 15 bytes and a NUL
  native.run();
  expect(native.result("entered")).toBe(-2);
  expect(() => native.setText("path", "/nonexistent-üx")).toThrow(RangeError);
  expect(() => native.setText("path", "a\0b")).toThrow("NUL");
});

test("vectors are pointers to strings, one vector behind the other", () => {
  const native = map([call("getpid", [{ param: "argv" }, { param: "envp" }])], { vectors: 256 });
  native.setVectors("vectors", { argv: ["a", "bcü"], envp: ["X=1"] });
  const bytes = native.buffer("vectors");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const address = native.bufferAddress("vectors");
  const textAt = (pointer: number) => {
    const start = Number(view.getBigUint64(pointer, true)) - address;
    return new TextDecoder().decode(bytes.subarray(start, bytes.indexOf(0, start)));
  };
  expect([textAt(0), textAt(8)]).toEqual(["a", "bcü"]);
  expect(view.getBigUint64(16, true)).toBe(0n);
  expect(() => native.setVectors("vectors", { argv: ["x".repeat(300)] })).toThrow(RangeError);
});

test("a failure of an image tells the index of its call, whose note tells the rest", () => {
  const items = [call("getpid", []), call("close", [{ result: "file" }], { as: "closing", subject: "that" })];
  const program = { items: [call("dup", [-1], { as: "file", tolerate: ["EBADF"] }), ...items] };
  const native = mapImage(makeImage(program, { base: BASE, machine: MACHINE }));
  if (!native) throw new Error("not mapped");
  open.push(native);
  native.run();
  const failure = native.failure();
  expect(failure?.index).toBe(2);
  expect(notesOf(program)[2]).toEqual({
    call: "close",
    as: "closing",
    operation: "close",
    subject: "that",
    on: "file",
  });
});
