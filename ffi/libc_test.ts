import { expect, test } from "bun:test";
import { addressOf, check, cString, observeSyscalls, syscall, viewMemory } from "./libc.ts";
import { KernelError } from "./errno.ts";

test("a system call returns what the kernel returned", () => {
  expect(syscall("getpid")).toBe(process.pid);
});

test("an error comes as -errno, whatever the engine does in between", () => {
  for (let i = 0; i < 2000; i++) {
    expect(syscall("close", -1)).toBe(-9);
    JSON.parse(JSON.stringify({ i }));
  }
});

test("arguments pass as 64-bit words: negative, beyond 32 bits, and the sixth of them", () => {
  const file = syscall("memfd_create", addressOf(cString("test")), 1);
  expect(syscall("ftruncate", file, 2 ** 40)).toBe(0);
  expect(syscall("lseek", file, -4096, 2)).toBe(2 ** 40 - 4096);
  expect(syscall("lseek", file, -(2n ** 63n), 0)).toBe(-22);
  // mmap's sixth argument is the offset: one that is not a multiple of a page is refused, a page is not.
  expect(syscall("mmap", 0, 4096, 1, 1, file, 1)).toBe(-22);
  const address = syscall("mmap", 0, 4096, 1, 1, file, 8192);
  expect(address).toBeGreaterThan(4096);
  expect(syscall("munmap", address, 4096)).toBe(0);
  expect(syscall("close", file)).toBe(0);
});

test("check lets results pass and throws for -errno alone", () => {
  const doing = { operation: "open", subject: "/x" };
  expect(check(0, doing)).toBe(0);
  expect(check(-4096, doing)).toBe(-4096); // no errno reaches that far
  expect(() => check(-2, doing)).toThrow(KernelError);
  expect(() => check(-2, doing)).toThrow('Cannot open "/x": ENOENT (No such file or directory)');
});

test("a C string ends with NUL, holds UTF-8 and no NUL of its own", () => {
  expect([...cString("a\u00e9")]).toEqual([0x61, 0xc3, 0xa9, 0]);
  expect(() => cString("a\0b")).toThrow("NUL");
});

test("memory that the kernel writes is seen through its view", () => {
  const bytes = new Uint8Array(16);
  const view = viewMemory(addressOf(bytes), 16);
  bytes[3] = 7;
  expect(view[3]).toBe(7);
});

test("an observer sees each call with its arguments and result, until it is taken away", () => {
  const seen: unknown[] = [];
  observeSyscalls((name, args, result) => seen.push([name, args[0], result]));
  syscall("close", -1);
  observeSyscalls(undefined);
  syscall("close", -1);
  expect(seen).toEqual([["close", -1, -9]]);
});
