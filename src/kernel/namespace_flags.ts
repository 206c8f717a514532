/** Namespaces by their CLONE_* flags: include/uapi/linux/sched.h. Pure, for plans. */
export const CLONE_NEWNS = 0x00020000;
export const CLONE_NEWCGROUP = 0x02000000;
export const CLONE_NEWUTS = 0x04000000;
export const CLONE_NEWIPC = 0x08000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;

/** The kernel's name for each flag, the file in /proc/PID/ns, and the option of unshare(1). */
const NAMESPACES: readonly (readonly [flag: number, name: string, file: string, option: string])[] = [
  [CLONE_NEWNS, "CLONE_NEWNS", "mnt", "--mount"],
  [CLONE_NEWCGROUP, "CLONE_NEWCGROUP", "cgroup", "--cgroup"],
  [CLONE_NEWUTS, "CLONE_NEWUTS", "uts", "--uts"],
  [CLONE_NEWIPC, "CLONE_NEWIPC", "ipc", "--ipc"],
  [CLONE_NEWUSER, "CLONE_NEWUSER", "user", "--user"],
  [CLONE_NEWPID, "CLONE_NEWPID", "pid", "--pid"],
  [CLONE_NEWNET, "CLONE_NEWNET", "net", "--net"],
];

/** `CLONE_NEWNS|CLONE_NEWPID`; bits without a name follow in hexadecimal. */
export function namespaceFlagNames(flags: number): string {
  const found = NAMESPACES.filter(([flag]) => flags & flag);
  const rest = found.reduce((left, [flag]) => left & ~flag, flags);
  return [...found.map(([, name]) => name), ...(rest === 0 ? [] : [`0x${rest.toString(16)}`])].join("|");
}

/** The options of unshare(1) that make these namespaces. */
export function unshareOptions(flags: number): string[] {
  return NAMESPACES.filter(([flag]) => flags & flag).map(([, , , option]) => option);
}
