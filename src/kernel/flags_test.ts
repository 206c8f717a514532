import { expect, test } from "bun:test";
import { mountFlagNames, mountOptions, MS_BIND, MS_NODEV, MS_PRIVATE, MS_RDONLY, MS_REC } from "./mount_flags.ts";
import { CLONE_NEWNET, CLONE_NEWPID, namespaceFlagNames, unshareOptions } from "./namespace_flags.ts";

test("mount flags are named as the kernel names them", () => {
  expect(mountFlagNames(MS_BIND | MS_REC)).toBe("MS_BIND|MS_REC");
  expect(mountFlagNames(0)).toBe("0");
  expect(mountFlagNames(MS_RDONLY | 0x10)).toBe("MS_RDONLY|0x10");
});

test("mount flags become the words of mount -o", () => {
  expect(mountOptions(MS_BIND | MS_REC)).toEqual(["rbind"]);
  expect(mountOptions(MS_PRIVATE | MS_REC)).toEqual(["rprivate"]);
  expect(mountOptions(MS_RDONLY | MS_NODEV | MS_BIND)).toEqual(["ro", "nodev", "bind"]);
});

test("namespaces are named, and become the options of unshare", () => {
  expect(namespaceFlagNames(CLONE_NEWPID | CLONE_NEWNET)).toBe("CLONE_NEWPID|CLONE_NEWNET");
  expect(namespaceFlagNames(CLONE_NEWNET | 0x100)).toBe("CLONE_NEWNET|0x100");
  expect(unshareOptions(CLONE_NEWPID | CLONE_NEWNET)).toEqual(["--pid", "--net"]);
});
