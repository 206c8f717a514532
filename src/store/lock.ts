/** Locks between skdocker's processes: flock(2) on files of the run root, given back by the kernel when one dies. */
import { makeDirectories } from "../kernel/directories.ts";
import { LOCK_EX, LOCK_SH, lockFile } from "../kernel/file_locks.ts";
import { fileStatus } from "../kernel/file_status.ts";
import { openFile } from "../kernel/files.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { O_CREAT, O_RDWR } from "../kernel/open_flags.ts";
import { isKernelError } from "../../ffi/errno.ts";

/** Waits for the lock of a file (made if need be) and holds it until disposal. */
export function takeLock(path: string, kind: "shared" | "exclusive"): Descriptor {
  for (;;) {
    const file = openLock(path);
    try {
      lockFile(file.fd, kind === "shared" ? LOCK_SH : LOCK_EX, path);
      // A purge may have removed the file while we waited: others would then lock another one of that name.
      if (fileStatus(file.fd).links > 0) return file;
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
  }
}

function openLock(path: string): Descriptor {
  const options = { flags: O_RDWR | O_CREAT, mode: 0o600 };
  try {
    return openFile(path, options);
  } catch (error) {
    if (!isKernelError(error, "ENOENT")) throw error;
    makeDirectories(path.slice(0, path.lastIndexOf("/")), { mode: 0o711 });
    return openFile(path, options);
  }
}
