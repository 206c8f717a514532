/** Kernel parameters of the network namespace we are in: `net.ipv4.conf.eth0.forwarding` is a file of /proc/sys. */
import { isKernelError } from "../../ffi/errno.ts";
import { readText, writeText } from "../kernel/files.ts";

/** Parameters that each link has: [what their names begin with, the directory of all links]. */
const OF_LINKS: readonly (readonly [prefix: string, directory: string])[] = [
  ["net.ipv4.conf.", "/proc/sys/net/ipv4/conf/"],
  ["net.ipv6.conf.", "/proc/sys/net/ipv6/conf/"],
  ["net.ipv4.neigh.", "/proc/sys/net/ipv4/neigh/"],
  ["net.ipv6.neigh.", "/proc/sys/net/ipv6/neigh/"],
];

/**
 * The file of a parameter. A link's name may hold a dot (`eth0.100`): sysctl(8) writes it as a slash, and only the
 * part between `conf.` and the last dot is the link.
 */
export function sysctlPath(name: string): string {
  for (const [prefix, directory] of OF_LINKS) {
    if (!name.startsWith(prefix)) continue;
    const dot = name.lastIndexOf(".");
    if (dot > prefix.length) return `${directory}${name.slice(prefix.length, dot)}/${name.slice(dot + 1)}`;
  }
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
