/** What this process itself may do, and so the most that it can give. */
import { syscall } from "../../ffi/libc.ts";
import type { CapabilitySet } from "./capabilities.ts";

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
