import { expect, test } from "bun:test";
import { constants } from "node:os";
import { type ErrnoName, errnoName, errnoNumber, errnoText, isKernelError, KernelError } from "./errno.ts";

test("every errno that the engine knows by name has the same number here", () => {
  for (const [name, number] of Object.entries(constants.errno)) {
    if (name === "EWOULDBLOCK" || name === "ENOTSUP" || name === "EDEADLOCK") continue; // other names of EAGAIN, EOPNOTSUPP, EDEADLK
    expect([name, errnoNumber(name as ErrnoName)]).toEqual([name, number]);
  }
});

test("numbers lead to names, and a number without a name is written as such", () => {
  expect(errnoName(2)).toBe("ENOENT");
  expect(errnoName(4095)).toBeUndefined();
  expect(errnoText(22)).toBe("EINVAL (Invalid argument)");
  expect(errnoText(999)).toBe("errno 999");
});

test("every number has one name", () => {
  const names = Array.from({ length: 600 }, (_, number) => errnoName(number)).filter((name) => name !== undefined);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(errnoName(errnoNumber(name))).toBe(name);
});

test("a kernel error says what could not be done, to what, why, and what the kernel said", () => {
  const error = new KernelError({ operation: "add address", subject: "10.0.0.1/8", errno: 17, kernelText: "no room" });
  expect(error.message).toBe('Cannot add address "10.0.0.1/8": EEXIST (File exists): no room');
  expect(error.code).toBe("EEXIST");
});

test("kernel errors are told apart by code", () => {
  const error: unknown = new KernelError({ operation: "open", subject: "/x", errno: 2 });
  expect(isKernelError(error, "EPERM", "ENOENT")).toBe(true);
  expect(isKernelError(error)).toBe(true);
  expect(isKernelError(error, "EPERM")).toBe(false);
  expect(isKernelError(new Error("ENOENT"), "ENOENT")).toBe(false);
});
