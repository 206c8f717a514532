/** Which capabilities a container gets: docker's defaults, what was added and dropped, and what this host can give. Pure. */
import {
  type Capability,
  CAPABILITY_COUNT,
  capabilityNames,
  type CapabilitySet,
  capabilitySet,
  DEFAULT_CAPABILITIES,
} from "../kernel/capabilities.ts";
import type { RunRequest } from "./request.ts";

/** The part of a request that capabilities depend on. */
export type CapabilityRequest = Pick<RunRequest, "capAdd" | "capDrop" | "privileged">;

/** What a container gets, and what was asked for by name but cannot be had on this host. */
export interface CapabilityGrant {
  readonly granted: CapabilitySet;
  readonly missing: readonly string[];
}

/**
 * `--cap-drop ALL` empties the defaults before anything is added, `--cap-add ALL` adds all but what is dropped, as in
 * docker. "All" is what the bounding set of this process has: a container's host may lack some itself.
 */
export function grantCapabilities(request: CapabilityRequest, bounding: CapabilitySet): CapabilityGrant {
  const { capAdd, capDrop } = request;
  const all = (1n << BigInt(CAPABILITY_COUNT)) - 1n;
  if (request.privileged) return { granted: bounding, missing: capabilityNames(all & ~bounding) };
  const named = (words: readonly string[]) => capabilitySet(words.filter((word) => word !== "ALL") as Capability[]);
  const asked = named(capAdd);
  const everything = capAdd.includes("ALL");
  let wanted = capDrop.includes("ALL") ? 0n : capabilitySet(DEFAULT_CAPABILITIES);
  wanted = everything ? bounding : (wanted & ~named(capDrop));
  if (everything) wanted &= ~named(capDrop);
  wanted |= asked;
  const missing = everything ? all & ~named(capDrop) & ~bounding : asked & ~bounding;
  return { granted: wanted & bounding, missing: capabilityNames(missing) };
}
