/** Whether a descriptor is a terminal. (node:tty has the same, and costs 3 ms to load.) */
import { addressOf, syscall } from "../../ffi/libc.ts";

// include/uapi/asm-generic/ioctls.h
const TCGETS = 0x5401;
const TIOCGWINSZ = 0x5413;

export function isTerminal(fd: number): boolean {
  const termios = new Uint8Array(64); // struct termios has 36 bytes
  return syscall("ioctl", fd, TCGETS, addressOf(termios)) === 0;
}

/** The terminal's columns; undefined where the descriptor is no terminal, or one that doesn't know its size. */
export function terminalWidth(fd: number): number | undefined {
  const size = new Uint16Array(4); // struct winsize: rows, columns, and two that nobody sets
  const bytes = new Uint8Array(size.buffer);
  if (syscall("ioctl", fd, TIOCGWINSZ, addressOf(bytes)) !== 0) return undefined;
  return size[1] || undefined;
}
