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
import * as files from "./files.ts";
import { Descriptor } from "./descriptor.ts";
import { O_CREAT, O_DIRECTORY, O_RDWR, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS } from "./open_flags.ts";
import { pipe, sendFile, setCloseOnExec, setNonBlocking, spliceBytes, statusFlags } from "./pipes.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "skdocker-files-"));
});
afterAll(() => rmSync(root, { recursive: true }));

test("a file is read to its end, whatever its size", () => {
  const text = "0123456789".repeat(5000);
  writeFileSync(join(root, "long"), text);
  expect(files.readText(join(root, "long"))).toBe(text);
  expect(files.readText("/proc/self/comm").length).toBeGreaterThan(1);
});

test("an error names the file and the errno", () => {
  expect(() => files.openFile(join(root, "nothing"))).toThrow(`Cannot open "${root}/nothing": ENOENT`);
  expect(files.tryOpen(join(root, "nothing"))).toBe(-2);
  expect(() => files.openFile("a\0b")).toThrow("NUL");
});

test("replacing a file leaves the new text, the mode asked for, and nothing beside it", () => {
  mkdirSync(join(root, "replace"));
  const path = join(root, "replace/state");
  for (const [text, durable] of [["one", false], ["two", true]] as const) {
    files.replaceFile(path, text, { mode: 0o640, durable });
    expect(readFileSync(path, "utf8")).toBe(text);
  }
  expect(statSync(path).mode & 0o777).toBe(0o640);
  expect(readdirSync(join(root, "replace"))).toEqual(["state"]);
});

test("a replacement that fails leaves the former file and nothing beside it", () => {
  mkdirSync(join(root, "full/state/x"), { recursive: true });
  expect(() => files.replaceFile(join(root, "full/state"), "text")).toThrow("EISDIR");
  expect(readdirSync(join(root, "full"))).toEqual(["state"]);
});

test("a status has the type, permissions, size and device", () => {
  writeFileSync(join(root, "five"), "12345", { mode: 0o600 });
  const status = files.pathStatus(join(root, "five"));
  const expected = statSync(join(root, "five"));
  expect(status).toMatchObject({ type: "file", mode: expected.mode, size: 5, inode: expected.ino, uid: expected.uid });
  using device = files.openFile("/dev/null");
  expect(files.fileStatus(device.fd)).toMatchObject({ type: "character device", rdevMajor: 1, rdevMinor: 3 });
  expect(files.pathStatus(join(root, "nothing"))).toBeUndefined();
});

test("the status of a link is the link's own", () => {
  symlinkSync("/etc/passwd", join(root, "link"));
  expect(files.pathStatus(join(root, "link"))?.type).toBe("link");
});

test("every type of a mode is told", () => {
  const modes = [0o010644, 0o020600, 0o040755, 0o060600, 0o100644, 0o120777, 0o140755, 0];
  const types = ["pipe", "character device", "directory", "block device", "file", "link", "socket", "other"];
  expect(modes.map(files.fileType) as string[]).toEqual(types);
});

test("a directory's names are listed without dot and dot-dot, again from the start each time", () => {
  mkdirSync(join(root, "many"));
  const names = Array.from({ length: 2000 }, (_, index) => `file-${String(index).padStart(5, "0")}-ä`);
  for (const name of names) writeFileSync(join(root, "many", name), "");
  expect(files.listDirectory(join(root, "many"))).toEqual(names);
  using directory = files.openFile(join(root, "many"), { flags: O_DIRECTORY });
  expect(files.readDirectory(directory.fd).length).toBe(2000);
  expect(files.readDirectory(directory.fd).length).toBe(2000);
});

test("inside a root no link leads outside", () => {
  mkdirSync(join(root, "container/etc"), { recursive: true });
  symlinkSync("/etc/passwd", join(root, "container/etc/absolute"));
  symlinkSync("../../../../../../etc/passwd", join(root, "container/etc/relative"));
  mkdirSync(join(root, "container/etc/deep"));
  writeFileSync(join(root, "container/etc/passwd"), "inside");
  using directory = files.openFile(join(root, "container"), { flags: O_DIRECTORY });
  const read = (path: string, resolve: number) => {
    using file = files.openResolved(path, { directory: directory.fd, resolve });
    return new TextDecoder().decode(files.readAll(file.fd));
  };
  for (const path of ["etc/absolute", "etc/relative", "/etc/passwd", "../../etc/passwd"]) {
    expect(read(path, RESOLVE_IN_ROOT)).toBe("inside");
  }
  expect(() => read("etc/absolute", RESOLVE_BENEATH)).toThrow("EXDEV");
  expect(() => read("etc/absolute", RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)).toThrow("ELOOP");
});

test("directories are made with those above them, removed, and missing ones reported as such", () => {
  files.makeDirectories(join(root, "a/b/c"));
  files.makeDirectories(join(root, "a/b/c"));
  expect(files.makeDirectory(join(root, "a/b/c"))).toBe(false);
  expect(files.makeDirectory(join(root, "a/b/d"))).toBe(true);
  expect(() => files.removeDirectory(join(root, "a"))).toThrow("ENOTEMPTY");
  expect(files.removeDirectory(join(root, "a/b/c"))).toBe(true);
  expect(files.removeDirectory(join(root, "a/b/c"))).toBe(false);
  expect(files.removeFile(join(root, "nothing"))).toBe(false);
});

/** Of flock(1), which tries and does not wait. */
const flockRefuses = (path: string) => Bun.spawnSync(["flock", "--nonblock", path, "true"]).exitCode === 1;

test("a lock is held by one open file at a time, until that is closed", () => {
  const path = join(root, "lock");
  const file = files.openFile(path, { flags: O_RDWR | O_CREAT, mode: 0o600 });
  expect(flockRefuses(path)).toBe(false);
  files.lockFile(file.fd, files.LOCK_EX);
  expect(flockRefuses(path)).toBe(true);
  file.close();
  expect(flockRefuses(path)).toBe(false);
});

/** What another process's fcntl(2) finds: a Perl of this machine's own, whose struct flock is the kernel's. */
function tryElsewhere(path: string): string {
  const program = `use Fcntl; my $lock = pack("ssx4qqlx4", 1, 0, 0, 0, 0);
    open(F, "+<", $ARGV[0]) or die; print fcntl(F, F_SETLK, $lock) ? "taken" : "refused"`;
  return Bun.spawnSync(["perl", "-e", program, path]).stdout.toString();
}

test("a process's own lock keeps other processes out, and ends when it closes the file", () => {
  const path = join(root, "own");
  const file = files.openFile(path, { flags: O_RDWR | O_CREAT, mode: 0o600 });
  expect(tryElsewhere(path)).toBe("taken");
  expect(files.tryOwnLock(file.fd)).toBe(true);
  files.takeOwnLock(file.fd); // it is ours, so there is nothing to wait for
  expect(tryElsewhere(path)).toBe("refused");
  file.close();
  expect(tryElsewhere(path)).toBe("taken");
});

test("a closed descriptor has no number any more, and one that was given away is not closed", () => {
  const descriptor = files.openFile("/dev/null");
  descriptor.close();
  descriptor.close();
  expect(descriptor.closed).toBe(true);
  expect(() => descriptor.fd).toThrow("closed");
  const given = files.openFile("/dev/null");
  const copy = given.duplicate();
  const fd = given.release();
  given.close();
  using owner = new Descriptor(fd);
  expect(files.fileStatus(owner.fd).rdevMinor).toBe(3);
  expect(copy.fd).not.toBe(fd);
  copy.close();
});

test("a non-blocking pipe answers EAGAIN when it is empty and when it is full, and 0 at its end", () => {
  const { read, write } = pipe({ nonBlocking: true });
  const bytes = new Uint8Array(1 << 20);
  expect(files.readInto(read.fd, bytes)).toBe(-files.EAGAIN);
  expect(files.writeFrom(write.fd, bytes)).toBe(65536);
  expect(files.writeFrom(write.fd, bytes)).toBe(-files.EAGAIN);
  expect(files.readInto(read.fd, bytes)).toBe(65536);
  write.close();
  expect(files.readInto(read.fd, bytes)).toBe(0);
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
  using file = files.openFile(join(root, "moved"));
  const [first, second] = [pipe(), pipe()];
  expect(sendFile({ from: file.fd, to: first.write.fd, length: 100 })).toBe(7);
  expect(sendFile({ from: file.fd, to: first.write.fd, length: 100 })).toBe(0);
  expect(spliceBytes({ from: first.read.fd, to: second.write.fd, length: 100 })).toBe(7);
  expect(spliceBytes({ from: first.read.fd, to: second.write.fd, length: 100 })).toBe(-files.EAGAIN);
  second.write.close();
  expect(new TextDecoder().decode(files.readAll(second.read.fd))).toBe("move me");
  for (const end of [first.read, first.write, second.read]) end.close();
});
