/** The small init of `--init` (tini): unpacked once, bound into each container that asks for it. */
import { check, syscall } from "../../ffi/libc.ts";
import { pathStatus } from "../kernel/file_status.ts";
import { openFile, writeAll } from "../kernel/files.ts";
import { O_CREAT, O_EXCL, O_WRONLY } from "../kernel/open_flags.ts";
import type { Paths } from "../store/paths.ts";
import { unpackOnce } from "./unpack.ts";

/** Where a container finds it, as docker's do. */
export const INIT_PATH = "/sbin/docker-init";

/** Where the file is, or would be, on the host. */
export async function initPath(paths: Paths): Promise<string> {
  const { tini } = await import("#tini");
  return paths.rootfs(`tini-${tini.id.slice(0, 16)}`);
}

/** The file on the host; unpacked if this is the first time. */
export async function initFile(paths: Paths): Promise<string> {
  const { tini } = await import("#tini");
  const path = await initPath(paths);
  if (pathStatus(path)) return path;
  const { readFileSync } = await import("node:fs"); // alone it reads files inside the executable
  const binary = readFileSync(tini.file);
  unpackOnce(paths, path, (beside) => {
    using file = openFile(beside, { flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o755 });
    writeAll(file.fd, binary, beside);
    syscall("fchmod", file.fd, 0o755); // whatever the umask
    check(syscall("fdatasync", file.fd), { operation: "sync", subject: beside });
  });
  return path;
}

/** The command as the init is to be given it: what begins with a dash is the command's own. */
export function underInit(command: readonly string[]): string[] {
  return [INIT_PATH, "--", ...command];
}
