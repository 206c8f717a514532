/** SKDOCKER_TRACE: what is said to the kernel, through the built binary. */
import { expect, test } from "bun:test";
import { Lab } from "../lab.ts";

function traced(lab: Lab, words: string): string {
  const env = { SKDOCKER_TRACE: words };
  const { code, stderr } = lab.run([lab.binary, "run", "--rm", "busybox", "true"], { env });
  expect(code).toBe(0);
  return stderr;
}

test("each word traces its own, decoded, and nothing else", () => {
  using lab = Lab.create();
  const mounts = traced(lab, "mount");
  expect(mounts).toContain('fsopen("proc"');
  expect(mounts).toMatch(/^mount: program: pivot_root\("\.", "\."\)/m);
  expect(mounts).not.toMatch(/^(syscall|netlink|nft):/m);
  const all = traced(lab, "syscall");
  expect(all).toMatch(/^syscall: .*openat\(.*\) = /m);
  expect(all).toMatch(/^syscall: program: .*execve\("\/bin\/true"/m);
  const netlink = traced(lab, "netlink");
  expect(netlink).toMatch(/^netlink: > RTM_NEWLINK .*IFLA_IFNAME "veth[0-9a-f]{8}"/m);
  expect(netlink).not.toMatch(/^(syscall|mount):/m);
});

test("a word that is none is refused before anything is touched", () => {
  using lab = Lab.create();
  const before = lab.snapshot();
  const env = { SKDOCKER_TRACE: "netlink,everything" };
  const { code, stderr } = lab.run([lab.binary, "run", "--rm", "busybox", "true"], { env });
  expect(code).toBe(125);
  expect(stderr).toContain('SKDOCKER_TRACE does not know "everything"');
  lab.expectUnchanged(before);
});
