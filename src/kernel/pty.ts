/**
 * The terminal of a container, made by the parent: a devpts instance of its own, not mounted anywhere yet, and the
 * first pseudo-terminal in it.
 *
 * The parent opens master and slave through the detached instance, so nothing has to be passed back from the child,
 * and nothing the container does can stand between us and its terminal. The child only attaches the instance, and takes
 * its console from there. pts(4), ioctl_tty(2).
 */
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import { Descriptor } from "./descriptor.ts";
import { MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID } from "./mount_flags.ts";
import { makeDetachedFilesystem } from "./mounts.ts";
import { O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDWR } from "./open_flags.ts";

// include/uapi/asm-generic/ioctls.h, the same numbers on x86-64 and arm64
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;

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

/** A pseudo-terminal. */
export interface Pty extends Disposable {
  /** Ours, non-blocking. After the last slave has closed, reading it gives EIO: that is its end of file. */
  readonly master: Descriptor;
  /** The terminal itself, for the child. */
  readonly slave: Descriptor;
}

/**
 * Opens a pty in a devpts made by {@link newDevpts}. The slave is opened through the master (TIOCGPTPEER), not by a path,
 * which a container could have replaced.
 */
export function openPty(devpts: Descriptor): Pty {
  const doing = { operation: "open", subject: "a pseudo-terminal" };
  const name = cString("ptmx");
  const flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
  const master = new Descriptor(check(syscall("openat", devpts.fd, addressOf(name), flags | O_NONBLOCK, 0), doing));
  try {
    const unlocked = new Int32Array(1);
    check(syscall("ioctl", master.fd, TIOCSPTLCK, addressOf(new Uint8Array(unlocked.buffer))), doing);
    const slave = new Descriptor(check(syscall("ioctl", master.fd, TIOCGPTPEER, flags), doing));
    return {
      master,
      slave,
      [Symbol.dispose]() {
        slave.close();
        master.close();
      },
    };
  } catch (error) {
    master.close();
    throw error;
  }
}
