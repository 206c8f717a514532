/**
 * What the parent does about files before it clones the child: the root file system, mount points, detached mounts.
 * The results are the part of the plan's inputs that is about files.
 */
import type { Descriptor } from "../kernel/descriptor.ts";
import { takeBind } from "../rootfs/binds.ts";
import { BUSYBOX_DIRECTORIES, BUSYBOX_FILES, busyboxTree } from "../rootfs/busybox.ts";
import { takeDevices } from "../rootfs/devices.ts";
import { openDirectoryRoot, prepareDirectory, takeDirectory } from "../rootfs/directory.ts";
import { directoryKey, leaveDirectory, useDirectory, willMake } from "../rootfs/mount_points.ts";
import { type Layer, makeLayer, removeLayer } from "../rootfs/layer.ts";
import { ContainerRoot } from "../rootfs/root.ts";
import type { TakenMount } from "../rootfs/taken_mount.ts";
import type { Paths } from "../store/paths.ts";
import { DEVICES } from "./devices.ts";
import type { PlanInputs } from "./plan.ts";
import type { RootfsRequest } from "./request.ts";
import type { RootInputs } from "./root_plan.ts";
import type { ContainerSpec, SpecMount } from "./spec.ts";
import type { UserDatabase } from "./user.ts";
import { UndoStack } from "../undo.ts";

/** A root file system that was found, before anything is changed for a container. */
export interface Rootfs extends Disposable {
  readonly kind: RootfsRequest["kind"];
  /** The directory, or busybox's read-only tree. */
  readonly path: string;
  readonly root: ContainerRoot;
}

/** Finds the root file system that is asked for. Throws a {@link UserError} where there is none. */
export async function openRootfs(request: RootfsRequest, paths: Paths): Promise<Rootfs> {
  const path = request.kind === "directory" ? request.path : await busyboxTree(paths);
  const root = request.kind === "directory" ? openDirectoryRoot(path) : new ContainerRoot(path);
  return { kind: request.kind, path, root, [Symbol.dispose]: () => root[Symbol.dispose]() };
}

/** The container's own passwd and group. */
export function userDatabase({ root }: Rootfs): UserDatabase {
  return { passwd: root.readText("/etc/passwd"), group: root.readText("/etc/group") };
}

/** What {@link prepareFiles} works with, beside the spec. */
export interface PrepareOptions {
  readonly rootfs: Rootfs;
  readonly paths: Paths;
  readonly id: string;
  /** With `-t`: the devpts instance, to be closed by the caller. */
  readonly devpts: Descriptor | null;
}

/** The part of the plan's inputs that is about files. */
export type FileInputs = Pick<
  PlanInputs,
  "root" | "trees" | "late" | "existing" | "fileTargets" | "workingDirectoryExists"
>;

/** A container's files, ready for the child. Disposal closes descriptors: right as soon as the child has executed. */
export interface PreparedFiles extends Disposable {
  readonly inputs: FileInputs;
  /** Whether what the container writes lies in memory, because the data root cannot carry a layer: to be said. */
  readonly inMemory: boolean;
  /** Removes, once the container has ended, what was made for it. */
  remove(): void;
}

/** What of a spec its files are prepared from. */
export type FileSpec = Pick<ContainerSpec, "mounts"> & { readonly process: { readonly cwd: string } };

/** Prepares a container's files. Where that fails, everything is as before. */
export function prepareFiles(spec: FileSpec, options: PrepareOptions): PreparedFiles {
  const { rootfs, devpts } = options;
  using failed = new UndoStack();
  const descriptors = failed.use(new UndoStack());
  const trees = new Map<string, number>();
  const late = new Map<string, number>();
  const use = (destination: string, taken: TakenMount) => {
    trees.set(destination, descriptors.use(taken.tree).fd);
    if (taken.late !== undefined) late.set(destination, taken.late);
  };
  const fileTargets = new Set<string>();
  for (const mount of spec.mounts) {
    if (mount.type !== "bind") continue;
    const taken = takeBind(bindSource(mount));
    use(mount.destination, taken);
    if (taken.kind === "file") fileTargets.add(mount.destination);
  }
  for (const [path, device] of takeDevices(DEVICES)) use(path, device);
  if (devpts) trees.set("/dev/pts", devpts.fd);
  const prepared = prepareRoot(spec, { ...options, fileTargets, failed, descriptors });
  failed.move();
  return {
    inputs: {
      root: prepared.inputs,
      trees,
      late,
      existing: prepared.existing,
      fileTargets,
      workingDirectoryExists: rootfs.kind === "directory" && !isBelow({ destination: spec.process.cwd }, spec.mounts),
    },
    inMemory: prepared.layer?.inMemory ?? false,
    remove: prepared.remove,
    [Symbol.dispose]: () => descriptors.dispose(),
  };
}

interface RootOptions extends PrepareOptions {
  readonly fileTargets: ReadonlySet<string>;
  readonly failed: UndoStack;
  readonly descriptors: UndoStack;
}

interface PreparedRoot {
  readonly inputs: RootInputs;
  readonly existing: ReadonlySet<string>;
  readonly layer?: Layer;
  remove(): void;
}

function prepareRoot(spec: FileSpec, options: RootOptions): PreparedRoot {
  return options.rootfs.kind === "directory" ? prepareInPlace(spec, options) : prepareBusybox(options);
}

/** A directory: mount points are made beforehand and remembered; those below other mounts are left to the child. */
function prepareInPlace(spec: FileSpec, options: RootOptions): PreparedRoot {
  const { rootfs: { root, path }, paths, id, fileTargets, failed, descriptors } = options;
  const needed = spec.mounts.filter((mount) => !isBelow(mount, spec.mounts)).map(({ destination }) => {
    return { path: destination, kind: fileTargets.has(destination) ? "file" as const : "directory" as const };
  });
  const { cwd } = spec.process;
  const wanted = isBelow({ destination: cwd }, spec.mounts) ? [] : [{ path: cwd, kind: "directory" as const }];
  const use = { paths, key: directoryKey(root), id };
  const remove = () => leaveDirectory(use, path);
  failed.defer(remove);
  useDirectory(use);
  prepareDirectory(root, { needed: [...needed, ...wanted], willMake: (entry) => willMake(use, entry) });
  const nodev = spec.mounts.some(({ destination, options }) => destination === "/dev" && options.includes("nodev"));
  const { tree, late } = takeDirectory(root, { nodev });
  descriptors.use(tree);
  const existing = new Set(needed.map((mountPoint) => mountPoint.path));
  return { inputs: { kind: "directory", path, tree: tree.fd, late }, existing, remove };
}

function prepareBusybox({ rootfs, paths, id, failed }: RootOptions): PreparedRoot {
  failed.defer(() => removeLayer(paths, id));
  const layer = makeLayer(paths, id);
  const { upper, work } = layer;
  const memory = layer.inMemory ? layer.directory : null;
  return {
    inputs: { kind: "overlay", lower: rootfs.path, upper, work, memory },
    existing: new Set([...BUSYBOX_DIRECTORIES, ...BUSYBOX_FILES]),
    layer,
    remove: () => removeLayer(paths, id),
  };
}

function isBelow({ destination }: Pick<SpecMount, "destination">, mounts: readonly SpecMount[]): boolean {
  return mounts.some((mount) => destination.startsWith(`${mount.destination}/`));
}

function bindSource({ source, options }: SpecMount) {
  return {
    source,
    readOnly: options.includes("ro"),
    nodev: options.includes("nodev"),
    recursive: options.includes("rbind"),
  };
}
