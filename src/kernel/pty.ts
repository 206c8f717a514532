/**
 * A devpts instance of a container's own, made detached by the parent, with the first pseudoterminal in it.
 *
 * The parent opens master and slave through the instance before it is mounted anywhere, so nothing has to be passed
 * back from the child, and nothing the container does can stand between us and its terminal. The child only moves
 * the mount to /dev/pts. Order of calls: fsopen(2), fsconfig(2), fsmount(2); pts(4), ioctl_tty(2).
 */
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import { Descriptor } from "./descriptor.ts";
import { openFile } from "./files.ts";
import { AT_EMPTY_PATH, O_CLOEXEC, O_NOCTTY, O_RDWR } from "./open_flags.ts";

// include/uapi/linux/mount.h
const FSOPEN_CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSMOUNT_CLOEXEC = 1;
const MOUNT_ATTR_NOSUID = 0x2;
const MOUNT_ATTR_NOEXEC = 0x8;
const OPEN_TREE_CLONE = 1;

// include/uapi/asm-generic/ioctls.h
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;

/** Debian's and Fedora's group `tty`, which owns terminals, as docker has it. */
const TTY_GROUP = 5;

/** A detached devpts mount, to be moved to /dev/pts. */
export function newDevpts(): Descriptor {
  const doing = { operation: "make", subject: "a devpts instance" };
  using context = new Descriptor(check(syscall("fsopen", addressOf(cString("devpts")), FSOPEN_CLOEXEC), doing));
  const set = (key: string, value?: string) => {
    const name = cString(key);
    const text = value === undefined ? undefined : cString(value);
    const command = text ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
    const result = syscall("fsconfig", context.fd, command, addressOf(name), text ? addressOf(text) : 0, 0);
    check(result, { operation: "configure a devpts instance with", subject: key });
  };
  set("newinstance");
  set("ptmxmode", "0666");
  set("mode", "0620");
  set("gid", String(TTY_GROUP));
  check(syscall("fsconfig", context.fd, FSCONFIG_CMD_CREATE, 0, 0, 0), doing);
  const attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  return new Descriptor(check(syscall("fsmount", context.fd, FSMOUNT_CLOEXEC, attributes), doing));
}

/** The two sides of a pseudoterminal, and the slave as a detached mount, to be moved to /dev/console. */
export interface Pty {
  readonly master: Descriptor;
  readonly slave: Descriptor;
  readonly console: Descriptor;
}

/** Opens a new pseudoterminal of a devpts instance that was made by {@link newDevpts}. */
export function openPty(devpts: Descriptor): Pty {
  const master = openFile("ptmx", { directory: devpts.fd, flags: O_RDWR | O_NOCTTY });
  const unlocked = new Int32Array(1);
  const doing = { operation: "open", subject: "a pseudoterminal" };
  check(syscall("ioctl", master.fd, TIOCSPTLCK, addressOf(new Uint8Array(unlocked.buffer))), doing);
  const slave = new Descriptor(check(syscall("ioctl", master.fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), doing));
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH;
  const console = check(syscall("open_tree", slave.fd, addressOf(cString("")), flags), doing);
  return { master, slave, console: new Descriptor(console) };
}
