/** Unpacks the built-in root file system: once in the life of a data root, so apart from what every start does. */
import { readFileSync } from "node:fs"; // alone it reads files inside the executable
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import { makeDirectory } from "../kernel/directories.ts";
import { openFile, writeAll } from "../kernel/files.ts";
import { O_CREAT, O_DIRECTORY, O_EXCL, O_WRONLY } from "../kernel/open_flags.ts";
import type { Paths } from "../store/paths.ts";
import { BUSYBOX_FILES } from "./busybox.ts";
import { unpackOnce } from "./unpack.ts";

type Embedded = typeof import("#busybox").busybox;
type Busybox = Embedded & { readonly binary: Uint8Array };

/** Makes the tree at `path`, whole or not at all. */
export function unpackBusybox(embedded: Embedded, { paths, path }: { paths: Paths; path: string }): void {
  const busybox: Busybox = { ...embedded, binary: readFileSync(embedded.file) };
  const umask = syscall("umask", 0);
  try {
    unpackOnce(paths, path, (beside) => fill(busybox, beside));
  } finally {
    syscall("umask", umask);
  }
}

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
