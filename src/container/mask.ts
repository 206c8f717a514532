/**
 * Paths of /proc and /sys that a container must not see, or not write: docker's lists (moby's oci/defaults.go).
 * Which of them exist depends on the kernel: one that is not there needs no mask. Pure.
 */

/** Hidden: they tell about, or reach, the whole machine. A file is covered by /dev/null, a directory by an empty tmpfs. */
export const MASKED_PATHS: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

/** Not to be written: they change the machine, and no capability of a container's root stands in the way. */
export const READONLY_PATHS: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** Those of {@link MASKED_PATHS} that are directories, on every kernel that has them. */
export const MASKED_DIRECTORIES: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/scsi",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

/** What stands at a path. */
export type PathKind = "file" | "directory";
