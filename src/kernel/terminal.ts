/** Terminals: termios(3), ioctl_tty(2). */
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import { struct } from "../../ffi/struct.ts";

// include/uapi/asm-generic/ioctls.h, the same numbers on x86-64 and arm64
const TCGETS2 = 0x802c542a;
const TCSETS2 = 0x402c542b;
const TIOCGWINSZ = 0x5413;
const TIOCSWINSZ = 0x5414;

/** include/uapi/asm-generic/termbits.h: the structure that keeps any line speed. */
const TERMIOS2 = struct("termios2", {
  c_iflag: "u32",
  c_oflag: "u32",
  c_cflag: "u32",
  c_lflag: "u32",
  c_line: "u8",
  c_cc: { bytes: 19 },
  c_ispeed: "u32",
  c_ospeed: "u32",
});

// include/uapi/asm-generic/termbits.h and termbits-common.h
const IGNBRK = 0x1;
const BRKINT = 0x2;
const PARMRK = 0x8;
const ISTRIP = 0x20;
const INLCR = 0x40;
const IGNCR = 0x80;
const ICRNL = 0x100;
const IXON = 0x400;
const OPOST = 0x1;
const CSIZE = 0x30;
const CS8 = 0x30;
const PARENB = 0x100;
const ISIG = 0x1;
const ICANON = 0x2;
const ECHO = 0x8;
const ECHONL = 0x40;
const IEXTEN = 0x8000;
const VTIME = 5;
const VMIN = 6;

/** The settings of a terminal, as the kernel's bytes. */
export type TerminalSettings = Uint8Array<ArrayBuffer>;

/** Whether a descriptor is a terminal. */
export function isTerminal(fd: number): boolean {
  return syscall("ioctl", fd, TCGETS2, addressOf(new Uint8Array(TERMIOS2.size))) >= 0;
}

/** The settings of a terminal, to be given back to {@link applySettings}. */
export function terminalSettings(fd: number): TerminalSettings {
  const bytes = new Uint8Array(TERMIOS2.size);
  const doing = { operation: "read the settings of", subject: `the terminal on descriptor ${fd}` };
  check(syscall("ioctl", fd, TCGETS2, addressOf(bytes)), doing);
  return bytes;
}

/** Sets a terminal at once, without waiting for output that is under way. */
function applySettings(fd: number, settings: TerminalSettings): void {
  const doing = { operation: "set", subject: `the terminal on descriptor ${fd}` };
  check(syscall("ioctl", fd, TCSETS2, addressOf(settings)), doing);
}

/** The settings in which every byte passes as it is, as cfmakeraw(3) makes them. Pure. */
export function rawSettings(settings: TerminalSettings): TerminalSettings {
  const { c_iflag, c_oflag, c_cflag, c_lflag, c_cc, ...rest } = TERMIOS2.decode(settings);
  c_cc[VMIN] = 1; // a read returns with the first byte
  c_cc[VTIME] = 0;
  return TERMIOS2.encode({
    ...rest,
    c_iflag: (c_iflag & ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON)) >>> 0,
    c_oflag: (c_oflag & ~OPOST) >>> 0,
    c_cflag: ((c_cflag & ~(CSIZE | PARENB)) | CS8) >>> 0,
    c_lflag: (c_lflag & ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN)) >>> 0,
    c_cc,
  });
}

/** Puts a terminal into raw mode until disposal, which gives it its former settings back; throws where it cannot. */
export function enterRawMode(fd: number): Disposable {
  const former = terminalSettings(fd);
  applySettings(fd, rawSettings(former));
  let restored = false;
  return {
    [Symbol.dispose]() {
      if (restored) return;
      restored = true;
      const result = syscall("ioctl", fd, TCSETS2, addressOf(former));
      // One that has hung up is no terminal any more: there is nothing left to restore.
      if (result >= 0 || !isTerminal(fd)) return;
      check(result, { operation: "restore the settings of", subject: `the terminal on descriptor ${fd}` });
    },
  };
}

/** A terminal's size in characters. */
export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

/** struct winsize: rows, columns, and a size in pixels that nothing uses. */
const WINSIZE = struct("winsize", { ws_row: "u16", ws_col: "u16", ws_xpixel: "u16", ws_ypixel: "u16" });

/** The size of a terminal: 0 by 0 where nobody has set it. */
export function windowSize(fd: number): WindowSize {
  const bytes = new Uint8Array(WINSIZE.size);
  const doing = { operation: "read the size of", subject: `the terminal on descriptor ${fd}` };
  check(syscall("ioctl", fd, TIOCGWINSZ, addressOf(bytes)), doing);
  const { ws_row, ws_col } = WINSIZE.decode(bytes);
  return { rows: ws_row, columns: ws_col };
}

/** Sets the size of a terminal; where it changes, the foreground processes get SIGWINCH. */
export function setWindowSize(fd: number, { rows, columns }: WindowSize): void {
  const bytes = WINSIZE.encode({ ws_row: rows, ws_col: columns });
  const doing = { operation: "set the size of", subject: `the terminal on descriptor ${fd}` };
  check(syscall("ioctl", fd, TIOCSWINSZ, addressOf(bytes)), doing);
}
