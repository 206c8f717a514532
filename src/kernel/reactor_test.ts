import { afterEach, beforeEach, expect, test } from "bun:test";
import { readInto, writeFrom } from "./files.ts";
import { type Pipe, pipe } from "./pipes.ts";
import { Reactor } from "./reactor.ts";
import { catchSignals, isCatchable } from "./signals.ts";

let reactor: Reactor;
let pipes: Pipe[];
beforeEach(() => {
  reactor = new Reactor();
  pipes = [];
});
afterEach(() => {
  reactor[Symbol.dispose]();
  for (const { read, write } of pipes) [read, write].forEach((end) => end.close());
});

function newPipe(): Pipe {
  const made = pipe({ nonBlocking: true });
  pipes.push(made);
  return made;
}

const bytes = new Uint8Array(65536);

test("a readable descriptor is told, then its end", () => {
  const { read, write } = newPipe();
  const seen: string[] = [];
  writeFrom(write.fd, bytes.subarray(0, 3));
  write.close();
  reactor.add(read.fd, {
    readable: () => void seen.push(`read ${readInto(read.fd, bytes)}`),
    hangup: () => {
      seen.push("hangup");
      reactor.remove(read.fd);
    },
  });
  reactor.run(() => seen.includes("hangup"));
  expect(seen).toEqual(["read 3", "hangup"]);
});

test("without a handler for the hang-up, the reader meets it as its end of file", () => {
  const { read, write } = newPipe();
  write.close();
  let count = -1;
  reactor.add(read.fd, { readable: () => void (count = readInto(read.fd, bytes)) });
  reactor.run(() => count >= 0);
  expect(count).toBe(0);
});

test("a descriptor that nothing is wanted of rests, and is told again when something is", () => {
  const { read, write } = newPipe();
  let calls = 0;
  reactor.add(read.fd, { readable: () => void calls++ });
  writeFrom(write.fd, bytes.subarray(0, 1));
  write.close();
  reactor.modify(read.fd, {});
  expect(reactor.turn(0)).toBe(0);
  reactor.modify(read.fd, { readable: true });
  reactor.turn(0);
  expect(calls).toBe(1);
});

test("a writable descriptor is told, and the reader's going as well", () => {
  const { read, write } = newPipe();
  const seen: string[] = [];
  reactor.add(write.fd, { writable: () => void seen.push("writable"), hangup: () => void seen.push("hangup") });
  reactor.turn(0);
  reactor.modify(write.fd, {});
  reactor.remove(write.fd);
  reactor.add(write.fd, { hangup: () => void seen.push("hangup") });
  expect(reactor.turn(0)).toBe(0);
  read.close();
  reactor.turn(0);
  expect(seen).toEqual(["writable", "hangup"]);
});

test("events of a descriptor that an earlier handler has removed are dropped, also for its number's next owner", () => {
  const [first, second] = [newPipe(), newPipe()];
  let stale = 0;
  const removeOther = (own: Pipe, other: Pipe) => ({
    readable: () => {
      readInto(own.read.fd, bytes);
      if (!reactor.has(other.read.fd)) return;
      reactor.remove(other.read.fd);
      reactor.add(other.read.fd, { readable: () => void stale++ });
      readInto(other.read.fd, bytes);
    },
  });
  reactor.add(first.read.fd, removeOther(first, second));
  reactor.add(second.read.fd, removeOther(second, first));
  writeFrom(first.write.fd, bytes.subarray(0, 1));
  writeFrom(second.write.fd, bytes.subarray(0, 1));
  expect(reactor.turn(0)).toBe(2);
  expect(stale).toBe(0);
});

test("timers fire in the order in which they are due, none early, none that was cancelled", () => {
  const seen: string[] = [];
  const start = performance.now();
  reactor.timer(15, () => seen.push("late"));
  reactor.timer(5, () => {
    seen.push("early");
    cancelled.cancel();
  });
  const cancelled = reactor.timer(8, () => seen.push("cancelled"));
  reactor.run(() => seen.includes("late"));
  expect(seen).toEqual(["early", "late"]);
  expect(performance.now() - start).toBeGreaterThanOrEqual(15);
});

test("a timer does not keep descriptors from being served", () => {
  const { read, write } = newPipe();
  let reads = 0;
  reactor.add(read.fd, { readable: () => void (readInto(read.fd, bytes), reads++) });
  reactor.timer(1000, () => expect.unreachable());
  writeFrom(write.fd, bytes.subarray(0, 1));
  reactor.run(() => reads === 1);
});

test("a loop without anything to wait for is refused, not waited in for ever", () => {
  expect(() => reactor.run(() => false)).toThrow("nothing left to wait for");
  reactor.run(() => true);
});

test("what cannot be waited for is refused with its errno, and is not watched", async () => {
  const file = (await import("./files.ts")).openFile("/etc/passwd");
  expect(() => reactor.add(file.fd, { readable() {} })).toThrow("EPERM");
  expect(reactor.has(file.fd)).toBe(false);
  file.close();
});

test("a descriptor is watched once", () => {
  const { read } = newPipe();
  reactor.add(read.fd, { readable() {} });
  expect(() => reactor.add(read.fd, { readable() {} })).toThrow("already");
});

test("signals wake the loop, in their order", () => {
  using signals = catchSignals([1, 10, 28]);
  const seen: number[] = [];
  reactor.add(signals.fd, { readable: () => void seen.push(...signals.read()) });
  for (const signal of [28, 1, 10]) process.kill(process.pid, signal);
  reactor.run(() => seen.length === 3);
  expect(seen.sort()).toEqual([1, 10, 28]);
  expect(signals.read()).toEqual([]);
});

test("signals that the engine or the C library needs are not caught", () => {
  for (const signal of [0, 4, 9, 11, 19, 30, 33, 65]) expect(isCatchable(signal)).toBe(false);
  expect(() => catchSignals([15, 11])).toThrow("SIGSEGV cannot be caught");
});

test("what was caught does again what it did before", async () => {
  let handled = 0;
  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  const count = () => {
    handled++;
    resolve();
  };
  process.on("SIGUSR2", count);
  catchSignals([12])[Symbol.dispose]();
  process.kill(process.pid, "SIGUSR2");
  await arrived; // where the former handler is not put back, it never comes, and the test's time runs out
  process.off("SIGUSR2", count);
  expect(handled).toBe(1);
});
