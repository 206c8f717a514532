/** Kernel parameters of the network namespace we are in: `net.ipv4.conf.eth0.forwarding` is a file of /proc/sys. */
import { isKernelError } from "../../ffi/errno.ts";
import { readText, writeText } from "../kernel/files.ts";

/**
 * The file of a parameter. A link's name may hold a dot (`eth0.100`): sysctl(8) writes it as a slash, and only the
 * part between `conf.` and the last dot is the link.
 */
export function sysctlPath(name: string): string {
  const conf = /^(net\.ipv[46]\.(?:conf|neigh))\.(.+)\.([a-z0-9_]+)$/.exec(name);
  if (conf) return `/proc/sys/${(conf[1] as string).replaceAll(".", "/")}/${conf[2]}/${conf[3]}`; // all three matched
  return `/proc/sys/${name.replaceAll(".", "/")}`;
}

/** The value of a parameter without the line's end; null where the kernel (or the link) has none of that name. */
export function readSysctl(name: string): string | null {
  try {
    return readText(sysctlPath(name)).trim();
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return null;
    throw error;
  }
}

/** Writes a parameter. Throws the KernelError of the kernel that refuses it. */
export function writeSysctl(name: string, value: string): void {
  writeText(sysctlPath(name), value);
}
