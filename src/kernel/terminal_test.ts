import { expect, test } from "bun:test";
import { isTerminal, rawSettings, terminalSettings, windowSize } from "./terminal.ts";
import { openFile } from "./files.ts";

// struct termios2 of a fresh pty, set to UTF-8:
// c_iflag c_oflag c_cflag c_lflag, c_line, c_cc (VMIN is the 7th, VTIME the 6th), c_ispeed c_ospeed
const SANE = [0x4500, 0x5, 0xbf, 0x8a3b];
const CHARACTERS = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0];

function settings(flags: number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(44);
  bytes.set(new Uint8Array(new Uint32Array(flags).buffer));
  bytes.set(CHARACTERS, 17);
  bytes.set(new Uint8Array(new Uint32Array([38400, 38400]).buffer), 36);
  return bytes;
}

test("raw settings are cfmakeraw's: nothing translated, echoed or taken as a signal", () => {
  // Off: ICRNL IXON; OPOST; ECHO ICANON ISIG IEXTEN. IUTF8 (0x4000) is no business of cfmakeraw's.
  expect(rawSettings(settings(SANE))).toEqual(settings([0x4000, 0x4, 0xbf, 0xa30]));
});

test("raw settings of raw settings are the same", () => {
  const raw = rawSettings(settings(SANE));
  expect(rawSettings(raw)).toEqual(raw);
});

test("what is no terminal is known as such", () => {
  using none = openFile("/dev/null");
  expect(isTerminal(none.fd)).toBe(false);
  expect(() => terminalSettings(none.fd)).toThrow("ENOTTY");
  expect(() => windowSize(none.fd)).toThrow("ENOTTY");
});
