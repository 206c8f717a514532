/**
 * The built-in root file system: unpacked once, read-only for ever, with a writable layer per container.
 */
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import { makeDirectory, openFile, pathStatus, writeAll } from "../kernel/files.ts";
import { O_CREAT, O_DIRECTORY, O_EXCL, O_WRONLY } from "../kernel/open_flags.ts";
import type { Paths } from "../store/paths.ts";
import { unpackOnce } from "./unpack.ts";

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
  const { readFileSync } = await import("node:fs"); // alone it reads files inside the executable
  const whole = { ...busybox, binary: readFileSync(busybox.file) };
  const umask = syscall("umask", 0);
  try {
    unpackOnce(paths, path, (beside) => fill(whole, beside));
  } finally {
    syscall("umask", umask);
  }
  return path;
}

type Busybox = typeof import("#busybox").busybox & { readonly binary: Uint8Array };

function fill(busybox: Busybox, path: string): void {
  makeDirectory(path, { mode: 0o755 });
  using root = openFile(path, { flags: O_DIRECTORY });
  const directory = root.fd;
  for (const line of busybox.directories.split("\n")) {
    const space = line.indexOf(" ");
    makeDirectory(line.slice(space + 1), { mode: Number.parseInt(line.slice(0, space), 8), directory });
  }
  const write = (name: string, { mode, bytes }: { mode: number; bytes: Uint8Array }) => {
    using file = openFile(name, { directory, flags: O_WRONLY | O_CREAT | O_EXCL, mode });
    writeAll(file.fd, bytes, `${path}/${name}`);
    // Once in a life: a crash of the machine must not leave a complete-looking tree with empty files.
    check(syscall("fdatasync", file.fd), { operation: "sync", subject: `${path}/${name}` });
  };
  write("bin/busybox", { mode: 0o755, bytes: busybox.binary });
  for (const applet of busybox.applets.split("\n")) {
    const [target, name] = [cString("/bin/busybox"), cString(applet)];
    const doing = { operation: "link", subject: `${path}/${applet}` };
    check(syscall("symlinkat", addressOf(target), directory, addressOf(name)), doing);
  }
  const encoder = new TextEncoder();
  for (const { path: name, mode, text } of busybox.files()) write(name, { mode, bytes: encoder.encode(text) });
  for (const name of BUSYBOX_FILES) write(name.slice(1), { mode: 0o644, bytes: new Uint8Array(0) });
}
