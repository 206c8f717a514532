import { expect, test } from "bun:test";
import { awaitEnd, hasEnded, openPidfd, openProcess, parseStartTime, processStartTime, signalPidfd } from "./pidfd.ts";

test("the start time is read past a name with spaces and parentheses", () => {
  const fields = Array.from({ length: 50 }, (_, index) => index + 4).join(" "); // field 4 and on
  expect(parseStartTime(`42 (a) S 1 (b)) S ${fields}`)).toBe(22);
});

test("a process is found again by pid and start time, and not by another start time", () => {
  const startTime = processStartTime(process.pid);
  expect(startTime).toBeGreaterThan(0);
  using same = openProcess({ pid: process.pid, startTime: startTime! }); // it has just been read
  expect(same).toBeDefined();
  expect(openProcess({ pid: process.pid, startTime: startTime! - 1 })).toBeUndefined(); // as above
});

test("where there is no process there is no pidfd and no start time", () => {
  expect(openPidfd(0x3fffff)).toBeUndefined();
  expect(processStartTime(0x3fffff)).toBeUndefined();
});

test("a process is signalled and awaited through its pidfd", async () => {
  const child = Bun.spawn(["sleep", "100"]);
  using pidfd = openPidfd(child.pid);
  expect(hasEnded(pidfd!.fd)).toBe(false); // the child has not been reaped
  expect(awaitEnd(pidfd!.fd, 5)).toBe(false);
  expect(signalPidfd(pidfd!.fd, 15)).toBe(true);
  expect(awaitEnd(pidfd!.fd, 5000)).toBe(true);
  await child.exited;
  expect(signalPidfd(pidfd!.fd, 15)).toBe(false);
});
