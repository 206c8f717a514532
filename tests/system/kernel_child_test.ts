/** What children and terminals need root for: memory shared with a new PID namespace, a devpts of one's own. */
import { expect, test } from "bun:test";
import { execTail, spawnChild } from "../../ffi/clone.ts";
import { syscall } from "../../ffi/libc.ts";
import type { Call, Item } from "../../ffi/program.ts";
import { readInto, writeAll } from "../../src/kernel/files.ts";
import { MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY } from "../../src/kernel/mount_flags.ts";
import { attachMount, changeMount, cloneMount, makeDetachedFilesystem, unmount } from "../../src/kernel/mounts.ts";
import { CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS } from "../../src/kernel/namespace_flags.ts";
import { pipe } from "../../src/kernel/pipes.ts";
import { waitForExit } from "../../src/kernel/process.ts";
import { openPty } from "../../src/kernel/pty.ts";
import { enterRawMode, isTerminal, setWindowSize, windowSize } from "../../src/kernel/terminal.ts";

const FLAGS = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC;

function shell(script: string): Call {
  const argv = { words: [{ text: "/bin/sh" }, { text: "-c" }, { text: script }, 0] };
  const args = [{ text: "/bin/sh" }, argv, { words: [{ text: "PATH=/bin:/usr/bin" }, 0] }];
  return { call: "execve", args, operation: "execute", subject: script };
}

function useAs(fd: number, target: number): Call {
  return { call: "dup3", args: [fd, target, 0], operation: "use", subject: `descriptor ${fd}` };
}

test("a child that shares memory is the first process of its namespace, and the parent's memory is as it was", () => {
  const { read, write } = pipe();
  const items: Item[] = [useAs(write.fd, 1), ...execTail(), shell("echo $$; exit 5")];
  const canary = crypto.getRandomValues(new Uint8Array(65536));
  const copy = canary.slice();
  const child = spawnChild({ program: { items }, flags: FLAGS, shareMemory: true });
  expect(child.awaitExec()).toBeUndefined();
  child[Symbol.dispose]();
  const bytes = new Uint8Array(16);
  expect(new TextDecoder().decode(bytes.subarray(0, readInto(read.fd, bytes)))).toBe("1\n");
  expect(waitForExit({ pidfd: child.pidfd })).toEqual({ kind: "exited", status: 5 });
  expect(canary).toEqual(copy);
  for (const end of [read, write]) end.close();
  syscall("close", child.pidfd);
});

test("a thousand children that share memory, with garbage made and collected in between", () => {
  const items: Item[] = [...execTail(), { call: "exit_group", args: [42], operation: "end", subject: "the child" }];
  for (let round = 0; round < 1000; round++) {
    const child = spawnChild({ program: { items }, flags: CLONE_NEWPID, shareMemory: true });
    const garbage = Array.from({ length: 200 }, (_, index) => ({ text: `${round} ${index}` }));
    expect(garbage.length).toBe(200);
    expect(child.awaitExec()).toBeUndefined();
    expect(child.pid).toBeGreaterThan(0);
    child[Symbol.dispose]();
    expect(waitForExit({ pidfd: child.pidfd })).toEqual({ kind: "exited", status: 42 });
    syscall("close", child.pidfd);
  }
}, 60_000);

test("a pty of a devpts that is mounted nowhere is a terminal for a command, with its size and settings", () => {
  using devpts = makeDetachedFilesystem({
    type: "devpts",
    parameters: { mode: "0620", ptmxmode: "0666", gid: "5" },
    attributes: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
  });
  using pty = openPty(devpts);
  expect([isTerminal(pty.slave.fd), isTerminal(devpts.fd)]).toEqual([true, false]);
  setWindowSize(pty.master.fd, { rows: 33, columns: 99 });
  expect(windowSize(pty.slave.fd)).toEqual({ rows: 33, columns: 99 });
  const stty = () => Bun.spawnSync(["stty", "-a"], { stdin: pty.slave.fd }).stdout.toString();
  const before = stty();
  expect(before).toContain("rows 33; columns 99");
  {
    using _ = enterRawMode(pty.slave.fd);
    expect(stty()).toMatch(/-icanon .*\n?.*/);
    expect(stty()).toContain("-opost");
    writeAll(pty.master.fd, new TextEncoder().encode("\u0003\r"));
    const bytes = new Uint8Array(16);
    expect([...bytes.subarray(0, readInto(pty.slave.fd, bytes))]).toEqual([3, 13]); // as they were typed
  }
  expect(stty()).toBe(before);
  pty.slave.close();
  expect(readInto(pty.master.fd, new Uint8Array(1))).toBe(-5); // EIO is the end of file
});

test("a file system's own words are in the error", () => {
  expect(() => makeDetachedFilesystem({ type: "devpts", parameters: { gid: "staff" } })).toThrow(
    "EINVAL (Invalid argument): devpts: Bad value for 'gid'",
  );
  expect(() => makeDetachedFilesystem({ type: "nosuchfs" })).toThrow('Cannot make "a nosuchfs file system": ENODEV');
});

test("a detached mount is attached, made read-only and taken away again", () => {
  const directory = Bun.spawnSync(["mktemp", "-d"]).stdout.toString().trim();
  {
    using memory = makeDetachedFilesystem({ type: "tmpfs", parameters: { size: "64k" } });
    changeMount(memory.fd, { set: MOUNT_ATTR_RDONLY });
    attachMount(memory.fd, directory);
  }
  expect(Bun.spawnSync(["findmnt", "-no", "FSTYPE,OPTIONS", directory]).stdout.toString()).toMatch(/^tmpfs\s+ro,/);
  using copy = cloneMount(directory);
  unmount(directory);
  expect(Bun.spawnSync(["findmnt", directory]).exitCode).toBe(1);
  expect(copy.fd).toBeGreaterThan(2);
  Bun.spawnSync(["rmdir", directory]);
});
