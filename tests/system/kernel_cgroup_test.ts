/** Control groups on this machine: made, limited, joined at birth, killed, removed. */
import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { execTail, spawnChild } from "../../ffi/clone.ts";
import { syscall } from "../../ffi/libc.ts";
import { type Cgroup, createCgroup, findCgroup, removeCgroupParents } from "../../src/kernel/cgroup.ts";
import type { CgroupLimits } from "../../src/kernel/cgroup_hierarchies.ts";
import { waitForExit } from "../../src/kernel/process.ts";

const id = () => `test-${process.pid}-${made.length}`;
const made: Cgroup[] = [];
afterEach(() => {
  for (const cgroup of made.splice(0)) cgroup.remove();
  removeCgroupParents();
});

function create(limits: CgroupLimits = {}): Cgroup {
  const cgroup = createCgroup(id(), { limits });
  made.push(cgroup);
  return cgroup;
}

/** A shell that joins and then runs `script`. */
function joined(cgroup: Cgroup, script: string) {
  const joins = cgroup.joinPaths.map((path) => `echo 0 > ${path}`).join("; ");
  return Bun.spawn(["sh", "-c", `${joins}; ${script}`], { stdout: "pipe", stderr: "ignore" });
}

test("a group is there after it was made and gone after it was removed", () => {
  const cgroup = create();
  const directories = cgroup.joinPaths.map((path) => path.replace("/cgroup.procs", ""));
  expect(directories.length).toBe(1);
  expect(directories.every((path) => existsSync(path))).toBe(true);
  cgroup.remove();
  expect(directories.some((path) => existsSync(path))).toBe(false);
});

test("limits hold: a group of five processes has no sixth", async () => {
  const cgroup = create({ pids: 5, memory: 64 << 20, cpus: 0.5 });
  const shell = joined(cgroup, "for i in 1 2 3 4 5 6 7 8; do sleep 100 >/dev/null & done; echo all");
  expect(await new Response(shell.stdout).text()).toBe("");
  expect(await shell.exited).toBe(2); // sh: Cannot fork
  expect(cgroup.members().length).toBeLessThanOrEqual(5);
});

test("limits are in the files that the kernel reads", () => {
  const cgroup = create({ memory: 64 << 20, cpus: 0.5, pids: 20 });
  const text = ["memory.limit_in_bytes", "memory.max", "cpu.cfs_quota_us", "cpu.max", "pids.max"].map((file) => {
    const found = cgroup.joinPaths.map((path) => path.replace("cgroup.procs", file)).find((path) => existsSync(path));
    return found ? readFileSync(found, "utf8").trim() : "";
  });
  expect(text[0] || text[1]).toBe(String(64 << 20));
  expect(text[2] || text[3]).toStartWith("50000");
  expect(text[4]).toBe("20");
});

test("all members are killed, those that fork as well, before it is said that they have ended", async () => {
  const cgroup = create();
  const shell = joined(cgroup, "while :; do sleep 0.001; done & while :; do sleep 0.001; done & echo up; sleep 100");
  const reader = shell.stdout.getReader();
  await reader.read();
  expect(findCgroup(id().replace(/\d+$/, "0")).members().length).toBeGreaterThanOrEqual(3);
  expect(cgroup.kill()).toBe(true);
  expect(cgroup.members()).toEqual([]);
  expect(await shell.exited).toBe(137);
});

test("members that are frozen are killed, too, in either version", async () => {
  const group = id();
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n").map((line) => line.split(" "));
  const freezer = mounts.find((words) => words.includes("cgroup") && words.at(-1)?.includes("freezer"))?.[4];
  const unified = mounts.find((words) => words.includes("cgroup2"))?.[4];
  const paths = [freezer, unified].filter((mount) => mount !== undefined).map((mount) => `${mount}/skdocker/${group}`);
  expect(paths).not.toBeEmpty();
  for (const path of paths) {
    mkdirSync(path, { recursive: true });
    const cgroup = findCgroup(group);
    made.push(cgroup);
    const shell = joined(cgroup, "echo up; sleep 100 & wait");
    await shell.stdout.getReader().read();
    const [file, word] = path.startsWith(`${freezer}/`) ? ["freezer.state", "FROZEN"] : ["cgroup.freeze", "1"];
    writeFileSync(`${path}/${file}`, word);
    expect(cgroup.kill()).toBe(true);
    expect(cgroup.members()).toEqual([]);
    expect(await shell.exited).toBe(137);
    cgroup.remove();
  }
});

test("a group that is removed while processes are in it, and groups below it, goes all the same", async () => {
  const cgroup = create();
  const below = cgroup.joinPaths.map((path) => path.replace("cgroup.procs", "below"));
  const shell = joined(cgroup, `mkdir -p ${below.join(" ")}; echo up; sleep 100`);
  await shell.stdout.getReader().read();
  cgroup.remove();
  expect(cgroup.joinPaths.some((path) => existsSync(path))).toBe(false);
  expect(await shell.exited).toBe(137);
});

test("a child is born in its group, without a write of its own", () => {
  const cgroup = create();
  using directory = cgroup.openUnified();
  if (!directory) return; // a host without version 2: nothing to be born in
  const argv = { words: [{ text: "/bin/sleep" }, { text: "100" }, 0] };
  const execve = { call: "execve", args: [{ text: "/bin/sleep" }, argv, { words: [0] }] } as const;
  const items = [...execTail(), { ...execve, operation: "execute", subject: "sleep" }];
  using child = spawnChild({ program: { items }, flags: 0, shareMemory: false, cgroup: directory.fd });
  expect(child.awaitExec()).toBeUndefined();
  expect(readFileSync(`${cgroup.unifiedPath}/cgroup.procs`, "utf8")).toBe(`${child.pid}\n`);
  cgroup.kill();
  expect(waitForExit({ pidfd: child.pidfd })).toEqual({ kind: "killed", signal: 9 });
  syscall("close", child.pidfd);
});
