import { expect, test } from "bun:test";
import { limitWrites, parseHierarchies, planCgroup } from "./cgroup_hierarchies.ts";

const MOUNTS = `24 23 0:22 / /proc rw,nosuid - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
`;
const V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
const V1 = `32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:3 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
`;
const UNIFIED = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

const paths = (mountinfo: string, limits = {}, unifiedControllers: string[] = []) =>
  planCgroup(parseHierarchies(mountinfo), { id: "c1", limits, unifiedControllers }).directories.map(({ path }) => path);

test("version 2 alone, version 1 alone, and both are recognised", () => {
  expect(parseHierarchies(MOUNTS + V2)).toEqual({ unified: "/sys/fs/cgroup", legacy: {} });
  const legacy = {
    cpu: "/sys/fs/cgroup/cpu,cpuacct",
    memory: "/sys/fs/cgroup/memory",
    freezer: "/sys/fs/cgroup/freezer",
    pids: "/sys/fs/cgroup/pids",
  };
  expect(parseHierarchies(MOUNTS + V1)).toEqual({ unified: undefined, legacy });
  expect(parseHierarchies(MOUNTS + V1 + UNIFIED)).toEqual({ unified: "/sys/fs/cgroup/unified", legacy });
});

test("of two mounts of a hierarchy the first counts, and a space in a path is read", () => {
  const mounts = "30 23 0:26 / /a\\040b rw - cgroup2 none rw\n31 23 0:26 / /second rw - cgroup2 none rw\n";
  expect(parseHierarchies(mounts).unified).toBe("/a b");
});

test("without limits one directory is enough: version 2's, or the freezer's", () => {
  expect(paths(MOUNTS + V2)).toEqual(["/sys/fs/cgroup/skdocker/c1"]);
  expect(paths(MOUNTS + V1 + UNIFIED)).toEqual(["/sys/fs/cgroup/unified/skdocker/c1"]);
  expect(paths(MOUNTS + V1)).toEqual(["/sys/fs/cgroup/freezer/skdocker/c1"]);
  expect(paths(MOUNTS)).toEqual([]);
});

test("limits bring in the hierarchies that keep them", () => {
  const limits = { memory: 1 << 20, pids: 10 };
  expect(paths(MOUNTS + V2, limits, ["memory", "pids"])).toEqual(["/sys/fs/cgroup/skdocker/c1"]);
  expect(paths(MOUNTS + V1 + UNIFIED, limits)).toEqual([
    "/sys/fs/cgroup/unified/skdocker/c1",
    "/sys/fs/cgroup/memory/skdocker/c1",
    "/sys/fs/cgroup/pids/skdocker/c1",
  ]);
  expect(paths(MOUNTS + V1, { cpus: 1 })).toEqual([
    "/sys/fs/cgroup/cpu,cpuacct/skdocker/c1",
    "/sys/fs/cgroup/freezer/skdocker/c1",
  ]);
});

test("a limit that no hierarchy keeps is named", () => {
  const plan = planCgroup(parseHierarchies(MOUNTS + V2), {
    id: "c1",
    limits: { memory: 1, pids: 1 },
    unifiedControllers: ["pids"],
  });
  expect(plan.missing).toEqual(["memory"]);
});

test("limits are written in each version's own words", () => {
  const limits = { memory: 1000, cpus: 1.5, pids: 7 };
  const lines = (version: 1 | 2) => limitWrites(limits, version).map(({ file, value }) => `${file}=${value}`);
  expect(lines(2)).toEqual(["memory.max=1000", "memory.swap.max=1000", "cpu.max=150000 100000", "pids.max=7"]);
  expect(lines(1)).toEqual([
    "memory.limit_in_bytes=1000",
    "memory.memsw.limit_in_bytes=2000",
    "cpu.cfs_period_us=100000",
    "cpu.cfs_quota_us=150000",
    "pids.max=7",
  ]);
});

test("two limits of one hierarchy are one directory", () => {
  const mounts = "32 31 0:29 / /cg/all rw - cgroup cgroup rw,cpu,memory,pids,freezer\n";
  const { directories } = planCgroup(parseHierarchies(mounts), {
    id: "c1",
    limits: { memory: 5, pids: 5 },
    unifiedControllers: [],
  });
  expect(directories.map(({ path }) => path)).toEqual(["/cg/all/skdocker/c1"]);
  expect(directories[0]?.writes.map(({ file }) => file)).toContain("pids.max");
});

test("devices are kept by version 1's controller, else by a program of version 2, from above where the members are", () => {
  const devices = [{ type: "c", major: 1, minor: 3, access: "rwm" }] as const;
  const DEVICES = "42 31 0:39 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices\n";
  const plan = (mountinfo: string) =>
    planCgroup(parseHierarchies(mountinfo), { id: "c1", limits: { devices }, unifiedControllers: [] });
  const legacy = plan(MOUNTS + V1 + DEVICES + UNIFIED);
  expect(legacy.missing).toEqual([]);
  expect(legacy.directories.map(({ members }) => members)).toEqual([
    "/sys/fs/cgroup/unified/skdocker/c1",
    "/sys/fs/cgroup/devices/skdocker/c1/container",
  ]);
  expect(legacy.directories[1]?.writes.map(({ file, value }) => `${file} ${value}`)).toEqual([
    "devices.deny a",
    "devices.allow c 1:3 rwm",
  ]);
  const unified = plan(MOUNTS + V2);
  expect(unified.directories.map(({ members, writes, devices }) => [members, writes, devices])).toEqual([
    ["/sys/fs/cgroup/skdocker/c1/container", [], devices],
  ]);
  expect(plan(MOUNTS + V1).missing).toEqual(["devices"]);
});
