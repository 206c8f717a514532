/** Capabilities by name and number: include/uapi/linux/capability.h. Sets are bit masks of 64 bits. Pure. */
const NAMES = [
  "CHOWN",
  "DAC_OVERRIDE",
  "DAC_READ_SEARCH",
  "FOWNER",
  "FSETID",
  "KILL",
  "SETGID",
  "SETUID",
  "SETPCAP",
  "LINUX_IMMUTABLE",
  "NET_BIND_SERVICE",
  "NET_BROADCAST",
  "NET_ADMIN",
  "NET_RAW",
  "IPC_LOCK",
  "IPC_OWNER",
  "SYS_MODULE",
  "SYS_RAWIO",
  "SYS_CHROOT",
  "SYS_PTRACE",
  "SYS_PACCT",
  "SYS_ADMIN",
  "SYS_BOOT",
  "SYS_NICE",
  "SYS_RESOURCE",
  "SYS_TIME",
  "SYS_TTY_CONFIG",
  "MKNOD",
  "LEASE",
  "AUDIT_WRITE",
  "AUDIT_CONTROL",
  "SETFCAP",
  "MAC_OVERRIDE",
  "MAC_ADMIN",
  "SYSLOG",
  "WAKE_ALARM",
  "BLOCK_SUSPEND",
  "AUDIT_READ",
  "PERFMON",
  "BPF",
  "CHECKPOINT_RESTORE",
] as const;

/** A capability's name without CAP_. */
export type Capability = (typeof NAMES)[number];

/** A set of capabilities: bit n stands for capability n. */
export type CapabilitySet = bigint;

/** What a container's root may do unless told otherwise: the fourteen that docker grants. */
export const DEFAULT_CAPABILITIES: readonly Capability[] = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FSETID",
  "FOWNER",
  "MKNOD",
  "NET_RAW",
  "SETGID",
  "SETUID",
  "SETFCAP",
  "SETPCAP",
  "NET_BIND_SERVICE",
  "SYS_CHROOT",
  "KILL",
  "AUDIT_WRITE",
];

/** How many capabilities this version knows; a newer kernel may have more. */
export const CAPABILITY_COUNT = NAMES.length;

/** The number of a capability. */
export function capabilityNumber(name: Capability): number {
  return NAMES.indexOf(name);
}

/** The capability in `NET_ADMIN`, `cap_net_admin`; `undefined` for anything else (`ALL` too: it is none). */
export function parseCapability(text: string): Capability | undefined {
  const name = text.toUpperCase().replace(/^CAP_/, "");
  return NAMES.find((known) => known === name);
}

/** A set of these capabilities. */
export function capabilitySet(names: Iterable<Capability>): CapabilitySet {
  let set = 0n;
  for (const name of names) set |= 1n << BigInt(NAMES.indexOf(name));
  return set;
}

/** The names in a set, in the kernel's order; a bit without a name is written as its number. */
export function capabilityNames(set: CapabilitySet): string[] {
  const names: string[] = [];
  for (let number = 0; number < 64; number++) {
    if (set & (1n << BigInt(number))) names.push(NAMES[number] ?? `${number}`);
  }
  return names;
}

/** struct __user_cap_header_struct's version whose sets have 64 bits: include/uapi/linux/capability.h. */
export const LINUX_CAPABILITY_VERSION_3 = 0x20080522;

/** The three sets that capset(2) sets. */
export interface CapabilitySets {
  readonly effective: CapabilitySet;
  readonly permitted: CapabilitySet;
  readonly inheritable: CapabilitySet;
}

/** The two structures of capset(2): for the calling thread, version 3. */
export function encodeCapabilitySets(sets: CapabilitySets): { header: Uint8Array; data: Uint8Array } {
  const words = [sets.effective, sets.permitted, sets.inheritable];
  const low = words.map((set) => Number(set & 0xffffffffn));
  const high = words.map((set) => Number(set >> 32n));
  return {
    header: new Uint8Array(new Uint32Array([LINUX_CAPABILITY_VERSION_3, 0]).buffer),
    data: new Uint8Array(new Uint32Array([...low, ...high]).buffer),
  };
}
