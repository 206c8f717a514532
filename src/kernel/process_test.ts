import { expect, test } from "bun:test";
import { decodeSiginfo, describeExit, encodeResourceLimit, exitCode, resourceLimit } from "./process.ts";
import { resourceNumber } from "./resource_limits.ts";

/** si_signo, si_errno, si_code, padding, si_pid, si_uid, si_status */
const siginfo = (...words: number[]) => new Uint8Array(new Int32Array([...words, ...Array(25).fill(0)]).buffer);

test("an exit is decoded from siginfo_t: exited, killed, dumped", () => {
  expect(decodeSiginfo(siginfo(17, 0, 1, 0, 42, 0, 3))).toEqual({ kind: "exited", status: 3 });
  expect(decodeSiginfo(siginfo(17, 0, 2, 0, 42, 0, 9))).toEqual({ kind: "killed", signal: 9 });
  expect(decodeSiginfo(siginfo(17, 0, 3, 0, 42, 0, 11))).toEqual({ kind: "killed", signal: 11 });
});

test("without a child there is no exit", () => {
  expect(decodeSiginfo(siginfo())).toBeUndefined();
});

test("exit codes are the status, or 128 and the signal", () => {
  expect([0, 3, 255].map((status) => exitCode({ kind: "exited", status }))).toEqual([0, 3, 255]);
  expect(exitCode({ kind: "killed", signal: 9 })).toBe(137);
});

test("an exit is described in words", () => {
  expect(describeExit({ kind: "exited", status: 3 })).toBe("exited with status 3");
  expect(describeExit({ kind: "killed", signal: 9 })).toBe("killed by SIGKILL");
});

test("limits are encoded as two 64-bit words, infinity as all ones", () => {
  expect([...new BigUint64Array(encodeResourceLimit({ soft: 1024, hard: Infinity }).buffer)]).toEqual([
    1024n,
    2n ** 64n - 1n,
  ]);
  expect(() => encodeResourceLimit({ soft: -1, hard: 0 })).toThrow(RangeError);
  expect(() => encodeResourceLimit({ soft: 0.5, hard: 1 })).toThrow(RangeError);
});

test("this process's limit of open files is what the shell says it is", () => {
  const { stdout } = Bun.spawnSync(["sh", "-c", "ulimit -Sn; ulimit -Hn"]);
  const [, hard] = stdout.toString().split("\n");
  expect(String(resourceLimit(resourceNumber("nofile")).hard).replace("Infinity", "unlimited")).toBe(hard ?? "");
});
