/** Locks of files: flock(2), and those of fcntl(2) that are a process's own. */
import { addressOf, check, syscall } from "../../ffi/libc.ts";

const EINTR = 4;
const EAGAIN = 11;
const EACCES = 13;

// include/uapi/asm-generic/fcntl.h
export const LOCK_SH = 1;
export const LOCK_EX = 2;

/** Takes the lock of an open file, waiting for it: flock(2). */
export function lockFile(fd: number, kind: number, subject = `descriptor ${fd}`): void {
  let result: number;
  do result = syscall("flock", fd, kind); while (result === -EINTR);
  check(result, { operation: "lock", subject });
}

const F_SETLK = 6; // include/uapi/asm-generic/fcntl.h
const F_SETLKW = 7;
/** struct flock: l_type F_WRLCK, all of the file. */
const WRITE_LOCK = new Uint8Array(32);
WRITE_LOCK[0] = 1;

/**
 * Takes the lock of an open file that is this process's own (fcntl(2), "Advisory record locking") if it is free, and
 * says whether it was. Unlike flock(2)'s it is never a child's, too. It ends with the process, and as soon as the
 * process closes any descriptor of the file.
 */
export function tryOwnLock(fd: number, subject = `descriptor ${fd}`): boolean {
  const result = syscall("fcntl", fd, F_SETLK, addressOf(WRITE_LOCK));
  return result !== -EAGAIN && result !== -EACCES && check(result, { operation: "lock", subject }) === 0;
}

/** As {@link tryOwnLock}, but waits for it. */
export function takeOwnLock(fd: number, subject = `descriptor ${fd}`): void {
  let result: number;
  do result = syscall("fcntl", fd, F_SETLKW, addressOf(WRITE_LOCK)); while (result === -EINTR);
  check(result, { operation: "lock", subject });
}
