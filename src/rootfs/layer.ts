/**
 * The writable layer of a container: an overlay's upper and work directories, removed with the container.
 */
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import { makeDirectories, makeDirectory } from "../kernel/directories.ts";
import { AT_FDCWD, AT_REMOVEDIR } from "../kernel/open_flags.ts";
import type { Paths } from "../store/paths.ts";

const OVERLAYFS_SUPER_MAGIC = 0x794c7630; // include/uapi/linux/magic.h

/** Where a container's layer lies: all paths absolute. */
export interface Layer {
  /** Contains the two others. */
  readonly directory: string;
  readonly upper: string;
  readonly work: string;
  /**
   * Whether the child must mount a tmpfs on `directory` and make the two others in it: the data root lies on
   * overlayfs, which cannot carry an upper directory. Then what the container writes is in memory.
   */
  readonly inMemory: boolean;
}

/** Makes a container's layer. */
export function makeLayer(paths: Paths, id: string): Layer {
  const directory = paths.containerData(id);
  const layer = { directory, upper: paths.overlayUpper(id), work: paths.overlayWork(id) };
  // Nobody but root comes near what a container writes: it may be set-uid.
  makeDirectories(paths.containerDataDirectory, { mode: 0o700 });
  makeDirectory(directory, { mode: 0o700 });
  const inMemory = isOverlay(directory);
  if (!inMemory) {
    makeDirectory(layer.upper, { mode: 0o755 });
    makeDirectory(layer.work, { mode: 0o700 });
  }
  return { ...layer, inMemory };
}

/** Removes a container's layer, whatever the container has put there. Nothing happens where there is none. */
export function removeLayer(paths: Paths, id: string): void {
  const directory = paths.containerData(id);
  if (removeUntouched(directory)) return;
  // Loaded only where the container has written something.
  const { removeTree } = require("./remove_tree.ts") as typeof import("./remove_tree.ts");
  removeTree(directory);
}

/** What overlayfs itself makes in a work directory (ovl_workdir_create, "volatile"), innermost first. */
const OVERLAY_FILES = ["/work/work/incompat/volatile/dirty"] as const;
const OVERLAY_DIRECTORIES = [
  "/work/work/incompat/volatile",
  "/work/work/incompat",
  "/work/work",
  "/work",
  "/upper",
  "",
] as const;

/** Removes a layer that nothing was written to, by name; false where there is more in it, or it is not there. */
function removeUntouched(directory: string): boolean {
  for (const name of OVERLAY_FILES) unlink(directory + name, 0);
  let last = 0;
  for (const name of OVERLAY_DIRECTORIES) last = unlink(directory + name, AT_REMOVEDIR);
  return last === 0;
}

function unlink(path: string, flags: number): number {
  const name = cString(path);
  return syscall("unlinkat", AT_FDCWD, addressOf(name), flags);
}

function isOverlay(path: string): boolean {
  const bytes = new Uint8Array(120); // struct statfs begins with the type, 64 bits
  const name = cString(path);
  const result = syscall("statfs", addressOf(name), addressOf(bytes));
  check(result, { operation: "look at the file system of", subject: path });
  return new DataView(bytes.buffer).getUint32(0, true) === OVERLAYFS_SUPER_MAGIC;
}
