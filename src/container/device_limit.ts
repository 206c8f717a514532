/**
 * The devices of a container that may mount, and so make nodes that open: kept by its control group. Loaded only
 * where a capability was added.
 */
import { capabilitySet } from "../kernel/capabilities.ts";
import type { CgroupOptions } from "../kernel/cgroup.ts";
import type { DeviceRule } from "../kernel/cgroup_hierarchies.ts";
import { limitDevices } from "../kernel/device_filter.ts";
import { boundingSet } from "../kernel/privileges.ts";
import { UserError } from "../user_error.ts";
import { grantCapabilities } from "./capability_grant.ts";
import { ALLOWED_DEVICES } from "./device_plan.ts";
import type { RunRequest } from "./request.ts";

/** A limit of devices, and who keeps it where version 1's controller does not. */
export interface DeviceLimit {
  readonly devices: readonly DeviceRule[];
  readonly limitDevices: NonNullable<CgroupOptions["limitDevices"]>;
  /** The error where no control group can keep the limit. */
  refusal(cause: unknown): UserError;
}

/** The limit; `null` for a container that cannot mount, or, being privileged, is to have all devices. */
export function deviceLimit(request: RunRequest): DeviceLimit | null {
  if (request.privileged) return null;
  const { granted } = grantCapabilities(request, boundingSet());
  if ((granted & capabilitySet(["SYS_ADMIN"])) === 0n) return null;
  return { devices: ALLOWED_DEVICES, limitDevices, refusal };
}

function refusal(cause: unknown): UserError {
  const what = "With SYS_ADMIN the container could use every device of the host";
  const why = "here no control group can keep it from that";
  return new UserError(`${what}, and ${why}: --privileged gives them all`, { cause });
}
