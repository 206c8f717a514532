/** Resource limits by name: include/uapi/asm-generic/resource.h, the same on x86-64 and arm64. Pure. */
const RESOURCES = [
  "cpu",
  "fsize",
  "data",
  "stack",
  "core",
  "rss",
  "nproc",
  "nofile",
  "memlock",
  "as",
  "locks",
  "sigpending",
  "msgqueue",
  "nice",
  "rtprio",
  "rttime",
] as const;

/** A limit as `--ulimit` and getrlimit(2) name it, without RLIMIT_ and in lower case. */
export type ResourceName = (typeof RESOURCES)[number];

/** The number of a limit, for prlimit(2). */
export function resourceNumber(name: ResourceName): number {
  return RESOURCES.indexOf(name);
}
