/** A container's plan as text: its steps as the commands a person would type, grouped with one line of why. Pure. */
import type { StepGroup } from "../container/container_step.ts";

/** Why each group of steps is there. */
const WHY: Readonly<Record<StepGroup, string>> = {
  "session": "The child leaves the caller's session and its keys",
  "cgroup": "It joins its control group first, so that the namespace taken then is rooted there",
  "network": "It joins the network that is ready already",
  "propagation": "No mount made from here on is seen by the host, nor the other way round",
  "root": "The root file system is mounted, and the host's tree is given up for it",
  "system mounts": "What the kernel shows a process: for this container's namespaces alone",
  "devices": "The few devices that are safe, bound from the host's own nodes; no other node works in here",
  "mounts": "Files and directories that come from elsewhere",
  "sysctls": "Settings of the kernel that belong to the container's namespaces",
  "masks": "What tells about or changes the whole machine is hidden or read-only",
  "identity": "The container's name for itself",
  "stdio": "Only standard input, output and error stay open",
  "privileges": "Rights are given up, and can't be had back",
  "start": "All is ready: the command takes over",
};

/** The line of why above a group of steps. */
export function whyOf(group: StepGroup): string {
  return WHY[group];
}
