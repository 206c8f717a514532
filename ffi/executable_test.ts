/** Programs as executables: their bytes, and a child that becomes one for its last steps. */
import { expect, test } from "bun:test";
import { spawnChild } from "./clone.ts";
import { elfFile, Executable } from "./executable.ts";
import { addressOf, syscall } from "./libc.ts";
import type { Call, Item } from "./program.ts";

const end = (status: number): Call => ({ call: "exit_group", args: [status], operation: "end", subject: "the child" });

function pipe(): [number, number] {
  const pair = new Uint32Array(2);
  syscall("pipe2", addressOf(new Uint8Array(pair.buffer)), 0);
  return [pair[0] as number, pair[1] as number];
}

/** Runs these items as a child's last steps, in memory of its own; returns what became of them. */
function run(items: readonly Item[], buffers: Record<string, number> = {}) {
  const child = spawnChild({
    program: { items: [] },
    last: (status) => new Executable({ items, buffers }, status),
    flags: 0,
    shareMemory: false,
  });
  const failure = child.awaitExec();
  const { outcome, pidfd } = child;
  child[Symbol.dispose]();
  const info = new Int32Array(32);
  syscall("waitid", 3, pidfd, addressOf(new Uint8Array(info.buffer)), 4, 0);
  syscall("close", pidfd);
  return { failure, outcome, status: info[6] };
}

test("a child does its last steps in a file that has no name, not in our program", () => {
  const [reading, writing] = pipe();
  const program = { text: "/proc/self/exe" };
  const { failure, status } = run([
    { call: "readlinkat", args: [-100, program, { buffer: "path" }, 64], operation: "read", subject: "the link" },
    { call: "write", args: [writing, { buffer: "path" }, 64], operation: "tell", subject: "the path" },
    end(42),
  ], { path: 64 });
  expect([failure, status]).toEqual([undefined, 42]);
  const bytes = new Uint8Array(64);
  syscall("read", reading, addressOf(bytes), 64);
  for (const fd of [reading, writing]) syscall("close", fd);
  expect(new TextDecoder().decode(bytes)).toStartWith("/memfd:skdocker (deleted)\0");
});

test("what fails there is reported with its call, and the results of all calls before it", () => {
  const { failure, outcome, status } = run([
    { call: "getpid", args: [], as: "pid", operation: "ask for", subject: "the pid" },
    { call: "close", args: [-1], as: "closing", operation: "close", subject: "nothing" },
    end(0),
  ]);
  expect(status).toBe(125);
  expect([failure?.call.operation, failure?.call.subject, failure?.result]).toEqual(["close", "nothing", -9]);
  expect(outcome.result("pid")).toBeGreaterThan(1);
  expect(outcome.result("closing")).toBe(-9);
  expect(() => outcome.result("other")).toThrow('no call is named "other"');
});

test("what fails before is told as by any child", () => {
  const child = spawnChild({
    program: { items: [{ call: "close", args: [-1], operation: "close", subject: "too early" }] },
    last: (status) => new Executable({ items: [end(0)] }, status),
    flags: 0,
    shareMemory: false,
  });
  expect(child.awaitExec()?.call.subject).toBe("too early");
  child[Symbol.dispose]();
  syscall("waitid", 3, child.pidfd, 0, 4, 0);
  syscall("close", child.pidfd);
});

test("the status pipe ends when the last step is an execve that succeeds", () => {
  const argv = { words: [{ text: "sh" }, { text: "-c" }, { text: "exit 3" }, 0] };
  const { failure, status } = run([
    { call: "execve", args: [{ text: "/bin/sh" }, argv, { words: [0] }], operation: "execute", subject: "sh" },
  ]);
  expect([failure, status]).toEqual([undefined, 3]);
});

test("an executable is an ELF file of two segments, the code not writable and the data not executable", () => {
  // The largest pages that each machine's kernels can have.
  for (const [machine, number, page] of [["x64", 62, 4096], ["arm64", 183, 65536]] as const) {
    const bytes = new Uint8Array(3 * page).fill(7);
    const file = elfFile({ bytes, codeAt: 2 * page }, { base: 0x10000000, machine });
    const view = new DataView(file.buffer);
    expect([...file.subarray(0, 7)]).toEqual([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    expect([view.getUint16(16, true), view.getUint16(18, true)]).toEqual([2, number]);
    expect(view.getBigUint64(24, true)).toBe(BigInt(0x10000000 + 2 * page)); // e_entry
    const segments = [0, 1, 2].map((index) => [0, 4].map((at) => view.getUint32(64 + index * 56 + at, true)));
    expect(segments).toEqual([[1, 6], [1, 5], [0x6474e551, 6]]);
    for (const index of [0, 1]) {
      const [offset, address] = [8, 16].map((at) => view.getBigUint64(64 + index * 56 + at, true));
      expect([offset, address].map((value) => (value ?? 1n) % BigInt(page))).toEqual([0n, 0n]);
    }
    expect(file.subarray(page)).toEqual(bytes);
  }
});
