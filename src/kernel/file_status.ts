/** What a file is: statx(2), fstatfs(2). */
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import { struct } from "../../ffi/struct.ts";
import type { At } from "./files.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "./open_flags.ts";

const ENOENT = 2;

/** The head of struct statx, the same on both machines: include/uapi/linux/stat.h */
const STATX = struct("statx", {
  mask: "u32",
  blockSize: "u32",
  attributes: "u64",
  links: "u32",
  uid: "u32",
  gid: "u32",
  mode: "u16",
  padding: "u16",
  inode: "u64",
  size: "u64",
  blocks: "u64",
  attributesMask: "u64",
  times: { bytes: 64 },
  rdevMajor: "u32",
  rdevMinor: "u32",
  devMajor: "u32",
  devMinor: "u32",
  mountId: "u64",
});
const STATX_BYTES = 256;
const STATX_BASIC_STATS = 0x7ff;
const STATX_MNT_ID = 0x1000;

/** What a file is, under the names of struct stat. */
export interface FileStatus {
  /** The type (S_IFMT), set-id and sticky bits, and permissions. */
  readonly mode: number;
  readonly type: FileType;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly inode: number;
  readonly links: number;
  /** The device the file lies on. */
  readonly devMajor: number;
  readonly devMinor: number;
  /** The device the file stands for, if it is one. */
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** As in the first column of /proc/self/mountinfo. */
  readonly mountId: number;
}

export type FileType =
  | "pipe"
  | "character device"
  | "directory"
  | "block device"
  | "file"
  | "link"
  | "socket"
  | "other";

/** The type in a st_mode, by S_IFMT of include/uapi/linux/stat.h. */
export function fileType(mode: number): FileType {
  switch (mode & 0o170000) {
    case 0o010000:
      return "pipe";
    case 0o020000:
      return "character device";
    case 0o040000:
      return "directory";
    case 0o060000:
      return "block device";
    case 0o100000:
      return "file";
    case 0o120000:
      return "link";
    case 0o140000:
      return "socket";
    default:
      return "other";
  }
}

/** The status of an open file. */
export function fileStatus(fd: number): FileStatus {
  const answer = statx("", { directory: fd, flags: AT_EMPTY_PATH });
  check(answer.result, { operation: "look at", subject: `descriptor ${fd}` });
  return decodeStatus(answer.bytes);
}

/** include/uapi/linux/magic.h */
const PIPEFS_MAGIC = 0x50495045;
/** struct statfs, of which these matter, in words of 32 bits: f_type, f_flags. */
const STATFS = { words: 30, type: 0, flags: 20 };

/** Whether a pipe was made by pipe(2), rather than opened by a name that it has in some file system. */
export function isAnonymousPipe(fd: number): boolean {
  return filesystemStatus(fd)[STATFS.type] === PIPEFS_MAGIC;
}

// include/linux/statfs.h: the lowest four (RDONLY, NOSUID, NODEV, NOEXEC) have the numbers of mount(2), the fifth has not.
const ST_SAME = 0xf;
const ST_NOSYMFOLLOW = 0x2000;
const MS_NOSYMFOLLOW = 0x100;

/** MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC and MS_NOSYMFOLLOW, as far as the mount has them that a descriptor stands on. */
export function mountFlags(fd: number): number {
  const flags = filesystemStatus(fd)[STATFS.flags] as number;
  return (flags & ST_SAME) | (flags & ST_NOSYMFOLLOW ? MS_NOSYMFOLLOW : 0);
}

function filesystemStatus(fd: number): Uint32Array {
  const words = new Uint32Array(STATFS.words);
  check(syscall("fstatfs", fd, addressOf(new Uint8Array(words.buffer))), {
    operation: "look at the file system of",
    subject: `descriptor ${fd}`,
  });
  return words;
}

/** The status of what a path names, a symbolic link itself included; `undefined` where there is nothing. */
export function pathStatus(path: string, { directory = AT_FDCWD }: At = {}): FileStatus | undefined {
  const answer = statx(path, { directory, flags: AT_SYMLINK_NOFOLLOW });
  if (answer.result === -ENOENT) return undefined;
  check(answer.result, { operation: "look at", subject: path });
  return decodeStatus(answer.bytes);
}

function statx(path: string, { directory, flags }: { directory: number; flags: number }) {
  const bytes = new Uint8Array(STATX_BYTES);
  const mask = STATX_BASIC_STATS | STATX_MNT_ID;
  const name = cString(path);
  return { bytes, result: syscall("statx", directory, addressOf(name), flags, mask, addressOf(bytes)) };
}

function decodeStatus(bytes: Uint8Array): FileStatus {
  const { mode, uid, gid, links, devMajor, devMinor, rdevMajor, rdevMinor, ...wide } = STATX.decode(bytes);
  const [size, inode, mountId] = [Number(wide.size), Number(wide.inode), Number(wide.mountId)];
  const type = fileType(mode);
  return { mode, type, uid, gid, size, inode, links, devMajor, devMinor, rdevMajor, rdevMinor, mountId };
}
