/** What is in a container's /dev, as items for the child. Pure. */
import type { Item } from "../../ffi/program.ts";
import type { DeviceRule } from "../kernel/cgroup_hierarchies.ts";
import { call, type ContainerStep } from "./container_step.ts";
import { DEVICES } from "./devices.ts";
import { attach, mountAt } from "./mount_plan.ts";

const S_IFREG = 0o100000;

/**
 * What a container that may mount (CAP_SYS_ADMIN), and so make nodes that open, is to use beside making them: those
 * devices, and terminals of its own. Without that capability every mount is nodev, which is enough.
 */
export const ALLOWED_DEVICES: readonly DeviceRule[] = [
  { type: "c", major: "*", minor: "*", access: "m" },
  { type: "b", major: "*", minor: "*", access: "m" },
  ...DEVICES.map(([, major, minor]): DeviceRule => ({ type: "c", major, minor, access: "rwm" })),
  { type: "c", major: 5, minor: 2, access: "rwm" }, // ptmx
  { type: "c", major: 136, minor: "*", access: "rwm" }, // pts
];

/** Links as the runtime-spec has them, and docker's core. */
const LINKS: readonly (readonly [name: string, target: string])[] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
  ["core", "/proc/kcore"],
  ["ptmx", "pts/ptmx"],
];

/**
 * The host's own nodes, bound one by one onto empty files: /dev itself is nodev, so a node that is made there, or
 * anywhere, does nothing. The parent took the mounts after it had verified what they are, and made them read-only:
 * that does not hinder writing to a device, but a container's root could change mode and owner of the host's node.
 */
export function planDevices(trees: ReadonlyMap<string, number>): ContainerStep[] {
  const steps: ContainerStep[] = [];
  for (const [path, tree] of trees) {
    if (!path.startsWith("/dev/")) continue;
    const name = path.slice("/dev/".length);
    if (!DEVICES.some(([device]) => device === name)) continue;
    steps.push(bindNode({ name, tree, source: path, options: "ro,nosuid,noexec" }));
  }
  return steps;
}

/** The terminal, bound to /dev/console by the descriptor that the parent opened (CVE-2025-52565). */
export function planConsole(tree: number): ContainerStep {
  return bindNode({ name: "console", tree, source: "/dev/pts/0", options: "nosuid,noexec" });
}

interface Node {
  readonly name: string;
  readonly tree: number;
  readonly source: string;
  readonly options: string;
}

function bindNode({ name, tree, source, options }: Node): ContainerStep {
  const path = `/dev/${name}`;
  const notes = { operation: `bind device "${source}" to`, subject: path };
  const directory = mountAt("/dev");
  return {
    group: "devices",
    command: `touch ${path} && mount --bind -o ${options} ${source} ${path}`,
    items: [
      call("mknodat", [directory, { text: name }, S_IFREG | 0o666, 0], { tolerate: ["EEXIST"], ...notes }),
      attach(tree, { directory, name }, notes),
    ],
  };
}

/** The symbolic links of /dev. */
export function planDeviceLinks(): ContainerStep {
  const items = LINKS.map(([name, target]): Item => {
    const notes = { operation: `link to "${target}"`, subject: `/dev/${name}` };
    return call("symlinkat", [{ text: target }, mountAt("/dev"), { text: name }], { tolerate: ["EEXIST"], ...notes });
  });
  const command = LINKS.map(([name, target]) => `ln -s ${target} /dev/${name}`).join(" && ");
  return { group: "devices", command, items };
}
