/** What is in a container's /dev, as items for the child. Pure. */
import type { Argument, Item } from "../../ffi/program.ts";
import type { DeviceRule } from "../kernel/cgroup_hierarchies.ts";
import { OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from "../kernel/mount_flags.ts";
import { call, type ContainerStep, shellWord } from "./container_step.ts";
import { DEVICES } from "./devices.ts";
import { attach, mountAt, type MountInputs, settleLate } from "./mount_plan.ts";
import type { SpecDevice } from "./spec.ts";

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
export function planDevices({ trees, late }: Pick<MountInputs, "trees" | "late">): ContainerStep[] {
  const steps: ContainerStep[] = [];
  for (const [path, tree] of trees) {
    if (!path.startsWith("/dev/")) continue;
    const name = path.slice("/dev/".length);
    if (!DEVICES.some(([device]) => device === name)) continue;
    const bound = bindNode({ name, tree, source: path, options: "ro,nosuid,noexec" });
    const notes = { operation: `bind device "${path}" to`, subject: path };
    steps.push({ ...bound, items: [...bound.items, ...settleLate(tree, late.get(path), notes)] });
  }
  return steps;
}

/**
 * The terminal, bound to /dev/console: taken from the container's own devpts by the descriptor that the parent has made
 * it by, never by a path (CVE-2025-52565), and in the child, where it is attached: before Linux 6.15 nothing can be taken
 * of a detached mount.
 */
export function planConsole(devpts: number): ContainerStep {
  const notes = { operation: "take", subject: "the terminal" };
  const tree = { result: "console" };
  const taken = call("open_tree", [devpts, { text: TERMINAL }, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC], {
    as: tree.result,
    ...notes,
  });
  const options = "nosuid,noexec";
  const bound = bindNode({ name: "console", tree, source: `/dev/pts/${TERMINAL}`, options });
  return { ...bound, items: [taken, ...bound.items] };
}

/** The first terminal of a new devpts, and until the container runs the only one. */
const TERMINAL = "0";

interface Node {
  readonly name: string;
  readonly tree: Argument;
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

// include/uapi/linux/stat.h
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

/** Nodes made anew, with numbers, mode and owner as the spec has them; those that are there already stay. */
export function planNodes(devices: readonly SpecDevice[]): ContainerStep[] {
  return devices.filter(({ path }) => !isUsual(path)).map((device): ContainerStep => {
    const { path, type, major, minor, fileMode, uid, gid } = device;
    const name = path.slice("/dev/".length);
    const notes = { operation: "make the device", subject: path };
    const parents = name.split("/").slice(0, -1);
    const directories = parents.map((_, index): Item => {
      const directory = { text: parents.slice(0, index + 1).join("/") };
      return call("mkdirat", [mountAt("/dev"), directory, 0o755], { tolerate: ["EEXIST"], ...notes });
    });
    const kind = (type === "b" ? S_IFBLK : S_IFCHR) | fileMode;
    // A host without CAP_MKNOD has none to give, which is no reason not to start.
    const made = { tolerate: ["EEXIST", "EPERM"] as const, ...notes };
    const owned = { tolerate: ["ENOENT", "EPERM"] as const, ...notes };
    const make = `mknod -m ${fileMode.toString(8)} ${shellWord(path)} ${type} ${major} ${minor}`;
    return {
      group: "devices",
      command: `${parents.length > 0 ? `mkdir -p ${shellWord(`/dev/${parents.join("/")}`)} && ` : ""}${make}` +
        (uid === 0 && gid === 0 ? "" : ` && chown ${uid}:${gid} ${shellWord(path)}`),
      items: [
        ...directories,
        call("mknodat", [mountAt("/dev"), { text: name }, kind, deviceNumber(major, minor)], made),
        ...(uid === 0 && gid === 0 ? [] : [call("fchownat", [mountAt("/dev"), { text: name }, uid, gid, 0], owned)]),
      ],
    };
  });
}

function isUsual(path: string): boolean {
  return [...DEVICES, ...LINKS].some(([name]) => path === `/dev/${name}`);
}

/** As mknod(2) takes it: include/linux/kdev_t.h, new_encode_dev. */
function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
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
