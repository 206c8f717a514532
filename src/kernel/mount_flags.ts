/**
 * Flags of mounts, with their names for messages and `--explain`. Pure, for plans.
 * Source: include/uapi/linux/mount.h.
 */

// mount(2)
export const MS_RDONLY = 0x1;
export const MS_NOSUID = 0x2;
export const MS_NODEV = 0x4;
export const MS_NOEXEC = 0x8;
export const MS_REMOUNT = 0x20;
const MS_NOATIME = 0x400;
export const MS_BIND = 0x1000;
const MS_MOVE = 0x2000;
export const MS_REC = 0x4000;
const MS_SILENT = 0x8000;
const MS_UNBINDABLE = 0x20000;
export const MS_PRIVATE = 0x40000;
const MS_SLAVE = 0x80000;
const MS_SHARED = 0x100000;
const MS_RELATIME = 0x200000;
const MS_STRICTATIME = 0x1000000;

// umount2(2)
export const MNT_DETACH = 0x2;
export const UMOUNT_NOFOLLOW = 0x8;

// fsmount(2) and mount_setattr(2)
export const MOUNT_ATTR_RDONLY = 0x1;
export const MOUNT_ATTR_NOSUID = 0x2;
export const MOUNT_ATTR_NODEV = 0x4;
export const MOUNT_ATTR_NOEXEC = 0x8;

// open_tree(2) and move_mount(2)
export const OPEN_TREE_CLONE = 0x1;
export const OPEN_TREE_CLOEXEC = 0o2000000;
export const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
export const MOVE_MOUNT_T_EMPTY_PATH = 0x40;

const MOUNT_FLAGS: readonly (readonly [flag: number, name: string, option: string])[] = [
  [MS_RDONLY, "MS_RDONLY", "ro"],
  [MS_NOSUID, "MS_NOSUID", "nosuid"],
  [MS_NODEV, "MS_NODEV", "nodev"],
  [MS_NOEXEC, "MS_NOEXEC", "noexec"],
  [MS_REMOUNT, "MS_REMOUNT", "remount"],
  [MS_NOATIME, "MS_NOATIME", "noatime"],
  [MS_BIND, "MS_BIND", "bind"],
  [MS_MOVE, "MS_MOVE", "move"],
  [MS_REC, "MS_REC", "rec"],
  [MS_SILENT, "MS_SILENT", "silent"],
  [MS_UNBINDABLE, "MS_UNBINDABLE", "unbindable"],
  [MS_PRIVATE, "MS_PRIVATE", "private"],
  [MS_SLAVE, "MS_SLAVE", "slave"],
  [MS_SHARED, "MS_SHARED", "shared"],
  [MS_RELATIME, "MS_RELATIME", "relatime"],
  [MS_STRICTATIME, "MS_STRICTATIME", "strictatime"],
];

/** `MS_BIND|MS_REC`; bits without a name follow in hexadecimal; "0" for none. */
export function mountFlagNames(flags: number): string {
  const found = MOUNT_FLAGS.filter(([flag]) => flags & flag);
  const rest = found.reduce((left, [flag]) => left & ~flag, flags);
  const names = found.map(([, name]) => name);
  if (rest !== 0 || names.length === 0) names.push(rest === 0 ? "0" : `0x${rest.toString(16)}`);
  return names.join("|");
}

/** The words for `mount -o`; a recursive bind or propagation has its r in front, as mount(8) wants it. */
export function mountOptions(flags: number): string[] {
  const recursive = (flags & MS_REC) !== 0;
  const prefixed = MS_BIND | MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE;
  return MOUNT_FLAGS.filter(([flag]) => flags & flag && flag !== MS_REC)
    .map(([flag, , option]) => recursive && flag & prefixed ? `r${option}` : option);
}
