import { expect, test } from "bun:test";
import { CAPABILITY_COUNT, capabilityNames, capabilitySet, DEFAULT_CAPABILITIES } from "../kernel/capabilities.ts";
import { type CapabilityRequest, grantCapabilities } from "./capability_grant.ts";

const ALL = (1n << BigInt(CAPABILITY_COUNT)) - 1n;
const nothing: CapabilityRequest = { capAdd: [], capDrop: [], privileged: false };
const defaults = capabilitySet(DEFAULT_CAPABILITIES);

function grant(request: Partial<CapabilityRequest>, bounding = ALL) {
  return grantCapabilities({ ...nothing, ...request }, bounding);
}

test("the defaults are docker's fourteen", () => {
  expect(grant({}).granted).toBe(0xa80425fbn);
});

test("one can be added, one dropped", () => {
  const { granted } = grant({ capAdd: ["NET_ADMIN"], capDrop: ["CHOWN"] });
  expect(granted).toBe((defaults | capabilitySet(["NET_ADMIN"])) & ~capabilitySet(["CHOWN"]));
});

test("dropping ALL leaves what is added", () => {
  expect(capabilityNames(grant({ capDrop: ["ALL"], capAdd: ["KILL"] }).granted)).toEqual(["KILL"]);
  expect(grant({ capDrop: ["ALL"] }).granted).toBe(0n);
});

test("adding ALL gives all but what is dropped", () => {
  expect(grant({ capAdd: ["ALL"], capDrop: ["SYS_ADMIN"] }).granted).toBe(ALL & ~capabilitySet(["SYS_ADMIN"]));
});

test("what the host itself lacks is not granted, and told where it was asked for", () => {
  const bounding = ALL & ~capabilitySet(["SYS_RESOURCE", "MKNOD"]);
  expect(grant({}, bounding)).toEqual({ granted: defaults & bounding, missing: [] });
  expect(grant({ capAdd: ["SYS_RESOURCE"] }, bounding).missing).toEqual(["SYS_RESOURCE"]);
  const { granted, missing } = grant({ privileged: true }, bounding);
  expect(granted).toBe(bounding);
  expect(missing).toEqual(["SYS_RESOURCE", "MKNOD"]); // in the kernel's order
});
