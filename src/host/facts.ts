/** What this host is, and which features of its kernel are used or missing: read from the kernel, nothing of ours. */
import { isKernelError } from "../../ffi/errno.ts";
import { CAPABILITY_COUNT, capabilityNames } from "../kernel/capabilities.ts";
import { cgroupHierarchies } from "../kernel/cgroup.ts";
import { pathStatus } from "../kernel/file_status.ts";
import { readText } from "../kernel/files.ts";
import { knowsFilesystem } from "../kernel/mounts.ts";
import { boundingSet } from "../kernel/privileges.ts";
import { readSysctl } from "./sysctl.ts";

/** The host as nested plain objects, for `info`. */
export function hostFacts(): Record<string, unknown> & { readonly kernelFeatures: Record<string, string> } {
  return {
    kernelVersion: text("/proc/sys/kernel/osrelease"),
    operatingSystem: operatingSystem(),
    architecture: process.arch === "arm64" ? "aarch64" : "x86_64",
    cgroups: cgroups(),
    ipForwarding: readSysctl("net.ipv4.ip_forward"),
    bridgeNetfilter: readSysctl("net.bridge.bridge-nf-call-iptables") ?? "not loaded",
    missingCapabilities: capabilityNames(((1n << BigInt(CAPABILITY_COUNT)) - 1n) & ~boundingSet()).join(" "),
    kernelFeatures: features(),
  };
}

function text(path: string): string {
  try {
    return readText(path).trim();
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return "";
    throw error;
  }
}

function operatingSystem(): string {
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text("/etc/os-release"))?.[1] ?? "Linux";
}

function cgroups(): string {
  const { unified, legacy } = cgroupHierarchies();
  const old = Object.keys(legacy);
  if (unified === undefined) return old.length > 0 ? `version 1 (${old.join(" ")})` : "none: containers run without";
  return old.length > 0 ? `version 2 and version 1 (${old.join(" ")})` : "version 2";
}

/** Present, or what is lost without it. */
function features(): Record<string, string> {
  const has = (present: boolean, lost: string) => present ? "present" : `missing: ${lost}`;
  return {
    overlay: has(knowsFilesystem("overlay"), "the built-in busybox cannot be run, a directory can"),
    ipv6: has(pathStatus("/proc/sys/net/ipv6") !== undefined, "nothing, as containers have IPv4 alone"),
    seccomp: has(pathStatus("/proc/sys/kernel/seccomp") !== undefined, "containers cannot be filtered"),
    userNamespaces: has(pathStatus("/proc/self/ns/user") !== undefined, "nothing yet"),
  };
}
