/**
 * The terminal of a container, made by the parent: a devpts instance of its own, not mounted anywhere yet, and the
 * first pseudo-terminal in it.
 *
 * The parent opens master and slave through the detached instance, so nothing has to be passed back from the child,
 * and nothing the container does can stand between us and its terminal. The child only moves the mounts to their
 * places. pts(4), mount_setattr(2).
 */
import type { Descriptor } from "./descriptor.ts";
import { MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID } from "./mount_flags.ts";
import { cloneMount, makeDetachedFilesystem } from "./mounts.ts";
import { openPty, type Pty } from "./terminal.ts";

/** Debian's and Fedora's group `tty`, which owns terminals, as docker has it. */
const TTY_GROUP = "5";

/** A devpts of a container's own, to be moved to /dev/pts. */
export function newDevpts(): Descriptor {
  return makeDetachedFilesystem({
    type: "devpts",
    parameters: { newinstance: true, ptmxmode: "0666", mode: "0620", gid: TTY_GROUP },
    attributes: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
  });
}

/** A pseudo-terminal, and its slave as a detached mount. */
export interface ContainerTerminal extends Disposable {
  readonly pty: Pty;
  /** To be moved to /dev/console. */
  readonly console: Descriptor;
}

/** Opens a pseudo-terminal of a devpts made by {@link newDevpts}. */
export function newContainerTerminal(devpts: Descriptor): ContainerTerminal {
  const pty = openPty(devpts.fd);
  try {
    const console = cloneMount(String(pty.number), { directory: devpts.fd });
    return {
      pty,
      console,
      [Symbol.dispose]() {
        console.close();
        pty[Symbol.dispose]();
      },
    };
  } catch (error) {
    pty[Symbol.dispose]();
    throw error;
  }
}
