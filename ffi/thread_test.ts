import { expect, test } from "bun:test";
import { addressOf, syscall } from "./libc.ts";
import type { Item } from "./program.ts";
import { startThread, THREAD_END } from "./thread.ts";

function pipe(): [number, number] {
  const pair = new Uint32Array(2);
  syscall("pipe2", addressOf(new Uint8Array(pair.buffer)), 0o2000000);
  return [pair[0] as number, pair[1] as number];
}

const copy = (from: number, to: number): Item[] => [
  { label: "again" },
  {
    ...{ call: "read", args: [from, { buffer: "bytes" }, 4096], as: "count", whenZero: THREAD_END },
    ...{ operation: "read", subject: "a pipe" },
  },
  { call: "write", args: [to, { buffer: "bytes" }, { result: "count" }], operation: "write", subject: "a pipe" },
  { jump: "again" },
];

function readAll(fd: number): string {
  const bytes = new Uint8Array(65536);
  let text = "";
  for (;;) {
    const count = syscall("read", fd, addressOf(bytes), bytes.length);
    if (count <= 0) return text;
    text += new TextDecoder().decode(bytes.subarray(0, count));
  }
}

test("a thread does its calls beside us, closes what it was given, and ends alone", async () => {
  const [[from, writing], [reading, to]] = [pipe(), pipe()];
  startThread({ items: copy(from, to), buffers: { bytes: 4096 } }, { closes: [to, from] });
  const text = new TextEncoder().encode("through a thread\n".repeat(3000));
  for (let at = 0; at < text.length; at += 1000) {
    const part = text.subarray(at, at + 1000);
    syscall("write", writing, addressOf(part), part.length);
    Bun.gc(at % 10_000 === 0);
  }
  syscall("close", writing);
  expect(readAll(reading)).toBe(new TextDecoder().decode(text));
  syscall("close", reading);
  const flags = (fd: number) => syscall("fcntl", fd, 1);
  for (let tries = 0; tries < 1000 && flags(from) >= 0; tries++) await Bun.sleep(1);
  expect([flags(from), flags(to)]).toEqual([-9, -9]); // EBADF
});

test("a call that fails ends the thread, and nothing else", () => {
  const [reading, writing] = pipe();
  const failing: Item = { call: "read", args: [-1, { buffer: "bytes" }, 1], operation: "read", subject: "nothing" };
  startThread({ items: [failing], buffers: { bytes: 16 } }, { closes: [writing] });
  expect(readAll(reading)).toBe("");
  syscall("close", reading);
});
