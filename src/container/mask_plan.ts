/** Hiding and protecting paths of /proc and /sys, as items for the child. Pure. */
import type { Argument, Item } from "../../ffi/program.ts";
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../kernel/mount_flags.ts";
import { AT_EMPTY_PATH, AT_RECURSIVE } from "../kernel/open_flags.ts";
import { call, type ContainerStep } from "./container_step.ts";
import type { PathKind } from "./mask.ts";
import { attach, belowSystemMount, makeFilesystem, openTarget, type Place } from "./mount_plan.ts";

const EMPTY = { text: "" };
const CLONE = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
/** struct mount_attr: attr_set, attr_clr, propagation, userns_fd. */
const PROTECTED = { words: [MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, 0, 0] };
const MOUNT_ATTR_SIZE = 32;

/** What masks need: what is there, and the host's /dev/null as a detached mount. */
export interface MaskInputs {
  /** What of the paths exists; the others need no mask. */
  readonly kinds: ReadonlyMap<string, PathKind>;
  /** The mount that has been attached at /dev/null: never a path, which could be made to lead elsewhere. */
  readonly nullDevice: Argument;
}

/** Covers each path that exists: a file by the null device, a directory by one empty tmpfs for all of them. */
export function planMasks(paths: readonly string[], { kinds, nullDevice }: MaskInputs): ContainerStep[] {
  const steps: ContainerStep[] = [];
  let emptyIsMade = false;
  for (const path of paths) {
    const kind = kinds.get(path);
    if (kind === undefined) continue;
    const notes = { operation: "mask", subject: path };
    const { items, place } = placeOf(path);
    if (kind === "file") {
      steps.push({
        group: "masks",
        command: `mount --bind /dev/null ${path}`,
        items: [...items, ...attachClone(nullDevice, place, notes)],
      });
      continue;
    }
    const options = ["ro", "nosuid", "nodev", "noexec", "size=0"];
    const make = emptyIsMade ? attachClone({ result: "empty directory" }, place, notes) : [
      ...makeFilesystem({ type: "tmpfs", source: "tmpfs", options, destination: path }, "empty directory"),
      attach({ result: "empty directory" }, place, notes),
    ];
    emptyIsMade = true;
    steps.push({
      group: "masks",
      command: `mount -t tmpfs -o ${options.join(",")} tmpfs ${path}`,
      items: [...items, ...make],
    });
  }
  return steps;
}

/** Binds each path that exists onto itself, read-only. */
export function planReadonlyPaths(paths: readonly string[], kinds: MaskInputs["kinds"]): ContainerStep[] {
  return paths.filter((path) => kinds.has(path)).map((path): ContainerStep => {
    const notes = { operation: "make read-only", subject: path };
    const tree: Argument = { result: `read-only ${path}` };
    const { items, place } = placeOf(path);
    const source = "target" in place ? { directory: place.target, name: "" } : place;
    const flags = CLONE | AT_RECURSIVE | (source.name === "" ? AT_EMPTY_PATH : 0);
    return {
      group: "masks",
      command: `mount --rbind -o ro,nosuid,nodev,noexec ${path} ${path}`,
      items: [
        ...items,
        call("open_tree", [source.directory, { text: source.name }, flags], { as: `read-only ${path}`, ...notes }),
        call("mount_setattr", [tree, EMPTY, AT_EMPTY_PATH | AT_RECURSIVE, PROTECTED, MOUNT_ATTR_SIZE], notes),
        attach(tree, place, notes),
      ],
    };
  });
}

/** A second mount of what `source` holds, attached. */
function attachClone(source: Argument, place: Place, notes: { operation: string; subject: string }): Item[] {
  const name = `mask ${notes.subject}`;
  return [
    call("open_tree", [source, EMPTY, CLONE | AT_EMPTY_PATH], { as: name, ...notes }),
    attach({ result: name }, place, notes),
  ];
}

function placeOf(path: string): { items: readonly Item[]; place: Place } {
  const below = belowSystemMount(path);
  return below ? { items: [], place: below } : openTarget(path, undefined);
}
