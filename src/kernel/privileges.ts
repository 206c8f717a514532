/** What this process itself may do, and so the most that it can give. */
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import {
  type Capability,
  CAPABILITY_COUNT,
  capabilityNumber,
  type CapabilitySet,
  LINUX_CAPABILITY_VERSION_3,
} from "./capabilities.ts";

const PR_CAPBSET_READ = 23; // include/uapi/linux/prctl.h

/**
 * The bounding set of this process: all that any process below it can have. Asked for one by one (prctl(2)), up
 * to the last capability that the kernel knows.
 */
export function boundingSet(): CapabilitySet {
  let set = 0n;
  for (let number = 0; number < 64; number++) {
    const result = syscall("prctl", PR_CAPBSET_READ, number);
    if (result < 0) return set; // EINVAL: there are no more
    if (result === 1) set |= 1n << BigInt(number);
  }
  return set;
}

/**
 * Whether this process may use all of `names` (numbers below 32, which the first word of the sets has), and the kernel
 * knows just the capabilities that this program does: a quick look in the place of {@link boundingSet}'s forty.
 */
export function holdsCapabilities(names: readonly Capability[]): boolean {
  const isKnown = (number: number) => syscall("prctl", PR_CAPBSET_READ, number) >= 0;
  if (!isKnown(CAPABILITY_COUNT - 1) || isKnown(CAPABILITY_COUNT)) return false;
  const header = new Uint32Array([LINUX_CAPABILITY_VERSION_3, 0]);
  const data = new Uint32Array(6); // twice: effective, permitted, inheritable
  const doing = { operation: "read", subject: "the capabilities" };
  check(syscall("capget", addressOf(new Uint8Array(header.buffer)), addressOf(new Uint8Array(data.buffer))), doing);
  const permitted = data[1] as number; // there are six
  for (const name of names) if ((permitted & (1 << capabilityNumber(name))) === 0) return false;
  return true;
}
