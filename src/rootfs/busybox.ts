/**
 * The built-in root file system: unpacked once, read-only for ever, with a writable layer per container.
 */
import { pathStatus } from "../kernel/file_status.ts";
import type { Paths } from "../store/paths.ts";

/** Empty files on which those that are made for each container are mounted. */
export const BUSYBOX_FILES: readonly string[] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

/** Directories that need not be made to be mounted on. */
export const BUSYBOX_DIRECTORIES: readonly string[] = ["/proc", "/dev", "/sys", "/tmp", "/root", "/home", "/run"];

/** What a run would find in the tree. */
export interface BusyboxFacts {
  /** Where it is, or would be, unpacked. */
  readonly path: string;
  readonly passwd: string;
  readonly group: string;
  /** Whether a program is at an absolute path. */
  has(path: string): boolean;
}

/** The same before and after it was unpacked; nothing is unpacked. */
export async function busyboxFacts(paths: Paths): Promise<BusyboxFacts> {
  const { busybox } = await import("#busybox");
  const text = (path: string) => busybox.files().find((file) => file.path === path)?.text ?? "";
  const programs = new Set([...busybox.applets.split("\n"), "bin/busybox"]);
  return {
    path: treePath(busybox, paths),
    passwd: text("etc/passwd"),
    group: text("etc/group"),
    has: (path) => programs.has(process.getBuiltinModule("node:path").resolve("/", path).slice(1)),
  };
}

function treePath({ id }: { readonly id: string }, paths: Paths): string {
  return paths.rootfs(`busybox-${id.slice(0, 16)}`);
}

/** The path of the unpacked tree; unpacks it if this is the first time. */
export async function busyboxTree(paths: Paths): Promise<string> {
  const { busybox } = await import("#busybox");
  const path = treePath(busybox, paths);
  if (pathStatus(path)) return path;
  const { unpackBusybox } = await import("./unpack_busybox.ts");
  unpackBusybox(busybox, { paths, path });
  return path;
}
