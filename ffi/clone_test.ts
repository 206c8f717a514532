import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type ChildOptions, execTail, ignoredSignals, spawnChild } from "./clone.ts";
import { addressOf, syscall } from "./libc.ts";
import { PROGRAM_FAILED } from "./codegen.ts";
import type { Call, Item } from "./program.ts";

const CLONE_NEWNS = 0x20000;
const CLONE_NEWPID = 0x20000000;
const EMPTY = { words: [0] };

function execute(...command: string[]): Call {
  const argv = { words: [...command.map((text) => ({ text })), 0] };
  return {
    call: "execve",
    args: [{ text: command[0] ?? "" }, argv, EMPTY],
    operation: "execute",
    subject: command.join(" "),
  };
}

/** A child without namespaces, whose standard output is read to its end. */
function runChild(items: readonly Item[], options: Partial<ChildOptions> = {}) {
  const pair = new Int32Array(2);
  syscall("pipe2", addressOf(new Uint8Array(pair.buffer)), 0o2000000);
  const [reading, writing] = pair as unknown as [number, number];
  const toPipe = [1, 2].map((fd): Call => (
    { call: "dup3", args: [writing, fd, 0], operation: "use", subject: "the pipe" }
  ));
  const program = { items: [...toPipe, ...items] };
  using child = spawnChild({ program, flags: 0, shareMemory: false, ...options });
  syscall("close", writing);
  const failure = child.awaitExec();
  const bytes = new Uint8Array(65536);
  let length = 0;
  for (let count = 1; count > 0; length += count) {
    count = syscall("read", reading, addressOf(bytes) + length, bytes.length - length);
  }
  const info = new Uint8Array(128);
  syscall("waitid", 3, child.pidfd, addressOf(info), 4, 0);
  for (const fd of [reading, child.pidfd]) syscall("close", fd);
  const [code, status] = [info[8], info[24]]; // si_code, si_status
  return { child, failure, code, status, output: new TextDecoder().decode(bytes.subarray(0, length)) };
}

test("a child executes its command with what it wrote going where it was told", () => {
  const { failure, output, status } = runChild([...execTail(), execute("/bin/sh", "-c", "echo $$; exit 7")]);
  expect(failure).toBeUndefined();
  expect(output).toMatch(/^\d+\n$/);
  expect(status).toBe(7);
});

test("the pid is the child's, and the pidfd is close-on-exec", () => {
  const { child, output } = runChild([execute("/bin/sh", "-c", "echo $$; ls -l /proc/$$/fd")]);
  expect(Number.parseInt(output)).toBe(child.pid);
  expect(output).not.toContain("pidfd");
});

test("a failing call ends the child, and the parent knows which it was", () => {
  const { failure, status } = runChild([execute("/nonexistent/command")]);
  expect(failure?.call.subject).toBe("/nonexistent/command");
  expect(failure?.result).toBe(-2);
  expect(status).toBe(PROGRAM_FAILED);
});

test("a child that runs off the end of its program ends instead of returning to the parent's code", () => {
  const { failure, status } = runChild([]);
  expect(failure).toBeUndefined();
  expect(status).toBe(PROGRAM_FAILED);
});

test("a child that is killed before it executes anything leaves no failure and no wait without end", () => {
  const kill: Call = {
    call: "tgkill",
    args: [{ result: "me" }, { result: "me" }, 9],
    operation: "kill",
    subject: "me",
  };
  const me: Call = { call: "getpid", args: [], as: "me", operation: "ask", subject: "my pid" };
  const { failure, code, status } = runChild([me, kill]);
  expect(failure).toBeUndefined();
  expect([code, status]).toEqual([2, 9]); // CLD_KILLED, SIGKILL
});

test("abort says so on standard error and ends the process without the engine's crash report", () => {
  const close: Call = { call: "close", args: [-1], operation: "close", subject: "nothing" };
  const { output, code, status } = runChild([{ onFailure: "abort" }, close]);
  expect(output).toBe("skdocker: a system call that must not fail has failed; the process ends\n");
  expect([code, status]).toEqual([1, PROGRAM_FAILED]); // CLD_EXITED
});

test("the command finds no signal blocked and none ignored; the parent's mask is as it was", () => {
  const mask = () => /^SigBlk:\t(\w+)/m.exec(readFileSync("/proc/thread-self/status", "utf8"))?.[1];
  const before = mask();
  expect(ignoredSignals()).toContain(13); // the engine ignores SIGPIPE
  const { output } = runChild([
    ...execTail(),
    execute("/bin/sh", "-c", "while read l; do echo $l; done < /proc/$$/status"),
  ]);
  expect(output).toContain("SigBlk: 0000000000000000\n");
  expect(output).toContain("SigIgn: 0000000000000000\n");
  expect(mask()).toBe(before);
});

test("without the tail every signal that can be blocked is", () => {
  const { output } = runChild([execute("/bin/sh", "-c", "while read l; do echo $l; done < /proc/$$/status")]);
  expect(output).toContain("SigBlk: fffffffffffbfeff\n"); // all but KILL and STOP
});

test("memory is shared only with the first process of a new PID namespace", () => {
  const options = { program: { items: [] }, shareMemory: true };
  expect(() => spawnChild({ ...options, flags: 0 })).toThrow("new PID namespace");
  expect(() => spawnChild({ ...options, flags: CLONE_NEWNS })).toThrow("new PID namespace");
});

test("flags that are no namespaces are refused: the child would share descriptors or handlers", () => {
  const options = { program: { items: [] }, shareMemory: false };
  for (const flags of [0x100, 0x200, 0x400, 0x800, 0x4000, 0x10000, 17, CLONE_NEWPID + 0x1000]) {
    expect(() => spawnChild({ ...options, flags })).toThrow("more than namespaces");
  }
});

test("a process that has cloned is not dumpable any more", () => {
  runChild([]);
  expect(syscall("prctl", 3)).toBe(0); // PR_GET_DUMPABLE
});

test("the main thread is the process: a parent-death signal comes when it ends", () => {
  expect(syscall("gettid")).toBe(process.pid);
});
