import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Descriptor } from "./descriptor.ts";
import { fileStatus } from "./file_status.ts";
import {
  EAGAIN,
  openFile,
  openResolved,
  readAll,
  readInto,
  readText,
  replaceFile,
  tryOpen,
  writeFrom,
} from "./files.ts";
import { O_DIRECTORY, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS } from "./open_flags.ts";
import { pipe, sendFile, setCloseOnExec, setNonBlocking, spliceBytes, statusFlags } from "./pipes.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "skdocker-files-"));
});
afterAll(() => rmSync(root, { recursive: true }));

test("a file is read to its end, whatever its size", () => {
  const text = "0123456789".repeat(5000);
  writeFileSync(join(root, "long"), text);
  expect(readText(join(root, "long"))).toBe(text);
  expect(readText("/proc/self/comm").length).toBeGreaterThan(1);
});

test("an error names the file and the errno", () => {
  expect(() => openFile(join(root, "nothing"))).toThrow(`Cannot open "${root}/nothing": ENOENT`);
  expect(tryOpen(join(root, "nothing"))).toBe(-2);
  expect(() => openFile("a\0b")).toThrow("NUL");
});

test("replacing a file leaves the new text, the mode asked for, and nothing beside it", () => {
  mkdirSync(join(root, "replace"));
  const path = join(root, "replace/state");
  for (const [text, durable] of [["one", false], ["two", true]] as const) {
    replaceFile(path, text, { mode: 0o640, durable });
    expect(readFileSync(path, "utf8")).toBe(text);
  }
  expect(statSync(path).mode & 0o777).toBe(0o640);
  expect(readdirSync(join(root, "replace"))).toEqual(["state"]);
});

test("a replacement that fails leaves the former file and nothing beside it", () => {
  mkdirSync(join(root, "full/state/x"), { recursive: true });
  expect(() => replaceFile(join(root, "full/state"), "text")).toThrow("EISDIR");
  expect(readdirSync(join(root, "full"))).toEqual(["state"]);
});

test("inside a root no link leads outside", () => {
  mkdirSync(join(root, "container/etc"), { recursive: true });
  symlinkSync("/etc/passwd", join(root, "container/etc/absolute"));
  symlinkSync("../../../../../../etc/passwd", join(root, "container/etc/relative"));
  mkdirSync(join(root, "container/etc/deep"));
  writeFileSync(join(root, "container/etc/passwd"), "inside");
  using directory = openFile(join(root, "container"), { flags: O_DIRECTORY });
  const read = (path: string, resolve: number) => {
    using file = openResolved(path, { directory: directory.fd, resolve });
    return new TextDecoder().decode(readAll(file.fd));
  };
  for (const path of ["etc/absolute", "etc/relative", "/etc/passwd", "../../etc/passwd"]) {
    expect(read(path, RESOLVE_IN_ROOT)).toBe("inside");
  }
  expect(() => read("etc/absolute", RESOLVE_BENEATH)).toThrow("EXDEV");
  expect(() => read("etc/absolute", RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)).toThrow("ELOOP");
});

test("a closed descriptor has no number any more, and one that was given away is not closed", () => {
  const descriptor = openFile("/dev/null");
  descriptor.close();
  descriptor.close();
  expect(descriptor.closed).toBe(true);
  expect(() => descriptor.fd).toThrow("closed");
  const given = openFile("/dev/null");
  const copy = given.duplicate();
  const fd = given.release();
  given.close();
  using owner = new Descriptor(fd);
  expect(fileStatus(owner.fd).rdevMinor).toBe(3);
  expect(copy.fd).not.toBe(fd);
  copy.close();
});

test("a non-blocking pipe answers EAGAIN when it is empty and when it is full, and 0 at its end", () => {
  const { read, write } = pipe({ nonBlocking: true });
  const bytes = new Uint8Array(1 << 20);
  expect(readInto(read.fd, bytes)).toBe(-EAGAIN);
  expect(writeFrom(write.fd, bytes)).toBe(65536);
  expect(writeFrom(write.fd, bytes)).toBe(-EAGAIN);
  expect(readInto(read.fd, bytes)).toBe(65536);
  write.close();
  expect(readInto(read.fd, bytes)).toBe(0);
  read.close();
});

test("descriptor flags are set and cleared", () => {
  const { read, write } = pipe();
  setNonBlocking(read.fd, true);
  expect(statusFlags(read.fd) & 0o4000).toBe(0o4000);
  setNonBlocking(read.fd, false);
  expect(statusFlags(read.fd) & 0o4000).toBe(0);
  setCloseOnExec(write.fd, false);
  expect(readFileSync(`/proc/self/fdinfo/${write.fd}`, "utf8")).not.toMatch(/flags:\s+02/);
  setCloseOnExec(write.fd, true);
  expect(readFileSync(`/proc/self/fdinfo/${write.fd}`, "utf8")).toMatch(/flags:\s+02/);
  read.close();
  write.close();
});

test("bytes move from a file into a pipe and from pipe to pipe inside the kernel", () => {
  writeFileSync(join(root, "moved"), "move me");
  using file = openFile(join(root, "moved"));
  const [first, second] = [pipe(), pipe()];
  expect(sendFile({ from: file.fd, to: first.write.fd, length: 100 })).toBe(7);
  expect(sendFile({ from: file.fd, to: first.write.fd, length: 100 })).toBe(0);
  expect(spliceBytes({ from: first.read.fd, to: second.write.fd, length: 100 })).toBe(7);
  expect(spliceBytes({ from: first.read.fd, to: second.write.fd, length: 100 })).toBe(-EAGAIN);
  second.write.close();
  expect(new TextDecoder().decode(readAll(second.read.fd))).toBe("move me");
  for (const end of [first.read, first.write, second.read]) end.close();
});
