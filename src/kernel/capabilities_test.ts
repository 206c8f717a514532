import { expect, test } from "bun:test";
import {
  CAPABILITY_COUNT,
  capabilityNames,
  capabilityNumber,
  capabilitySet,
  DEFAULT_CAPABILITIES,
  encodeCapabilitySets,
  parseCapability,
} from "./capabilities.ts";

test("capabilities have the numbers of linux/capability.h", () => {
  expect(CAPABILITY_COUNT).toBe(41);
  const some = [
    "CHOWN",
    "KILL",
    "NET_ADMIN",
    "SYS_ADMIN",
    "MKNOD",
    "SETFCAP",
    "AUDIT_READ",
    "CHECKPOINT_RESTORE",
  ] as const;
  expect(some.map(capabilityNumber)).toEqual([0, 5, 12, 21, 27, 31, 37, 40]);
});

test("the default set is the one that docker grants", () => {
  // CapBnd of /proc/self/status in a container of docker
  expect(capabilitySet(DEFAULT_CAPABILITIES).toString(16)).toBe("a80425fb");
});

test("names are understood in any case, with and without CAP_; others are not", () => {
  expect(["net_admin", "CAP_NET_ADMIN", "cap_net_admin"].map(parseCapability)).toEqual(Array(3).fill("NET_ADMIN"));
  for (const text of ["ALL", "", "CAP_", "NET", "CAP_CAP_CHOWN"]) expect(parseCapability(text)).toBeUndefined();
});

test("a set is written as names, a bit beyond those known as its number", () => {
  expect(capabilityNames(capabilitySet(["KILL", "BPF"]) | 1n << 50n)).toEqual(["KILL", "BPF", "50"]);
});

test("capset's data is the lower words of the three sets, then the upper ones", () => {
  const { header, data } = encodeCapabilitySets({ effective: 1n, permitted: 1n << 32n, inheritable: (1n << 41n) - 1n });
  expect([...new Uint32Array(header.slice().buffer)]).toEqual([0x20080522, 0]);
  expect([...new Uint32Array(data.slice().buffer)]).toEqual([1, 0, 0xffffffff, 0, 1, 0x1ff]);
});
