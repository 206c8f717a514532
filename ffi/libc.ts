/**
 * The way into C: one `dlopen`, one native entry.
 *
 * libc gives a single symbol, `syscall(2)`, which is used once, to map a page. The page holds a stub of
 * a few instructions through which everything else goes, for two reasons: the stub returns the kernel's
 * own -errno (libc's `errno` could be overwritten by engine code between the call and the look at it), and
 * binding a symbol costs about 0.1 ms of start-up each (bun:ffi compiles a wrapper), so one is enough.
 */
import { CFunction, dlopen, FFIType, ptr, toArrayBuffer } from "bun:ffi";
import { KernelError } from "./errno.ts";
import { MACHINE, type SyscallName, syscallNumber } from "./syscalls.ts";

export { MACHINE };

// include/uapi/asm-generic/mman-common.h
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
export const MAP_SHARED = 1;
export const MAP_PRIVATE = 2;
export const MAP_ANONYMOUS = 0x20;

/**
 * `entry(nr, a, b, c, d, e, f)`: with nr = -1 a jump to the code at `a` (see native.ts), else the system
 * call. GNU as, from the C argument registers to the kernel's:
 *
 *   cmp $-1,%rdi; je 1f; mov %rdi,%rax; mov %rsi,%rdi; mov %rdx,%rsi; mov %rcx,%rdx; mov %r8,%r10;
 *   mov %r9,%r8; mov 8(%rsp),%r9; syscall; ret; 1: jmp *%rsi
 */
// deno-fmt-ignore
const ENTRY_X64 = [
  0x48, 0x83, 0xff, 0xff, 0x74, 0x1a, 0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0x48, 0x89, 0xca,
  0x4d, 0x89, 0xc2, 0x4d, 0x89, 0xc8, 0x4c, 0x8b, 0x4c, 0x24, 0x08, 0x0f, 0x05, 0xc3, 0xff, 0xe6,
];

/** cmn x0,#1; b.eq 1f; mov x8,x0; mov x0,x1; … mov x5,x6; svc #0; ret; 1: br x1 */
// deno-fmt-ignore
const ENTRY_ARM64 = [
  0x1f, 0x04, 0x00, 0xb1, 0x40, 0x01, 0x00, 0x54, 0xe8, 0x03, 0x00, 0xaa, 0xe0, 0x03, 0x01, 0xaa, 0xe1, 0x03,
  0x02, 0xaa, 0xe2, 0x03, 0x03, 0xaa, 0xe3, 0x03, 0x04, 0xaa, 0xe4, 0x03, 0x05, 0xaa, 0xe5, 0x03, 0x06, 0xaa,
  0x01, 0x00, 0x00, 0xd4, 0xc0, 0x03, 0x5f, 0xd6, 0x20, 0x00, 0x1f, 0xd6,
];

/** The two forms of the native entry, for the test that holds them against an assembler's output. */
export const ENTRY_CODE = { x64: ENTRY_X64, arm64: ENTRY_ARM64 } as const;

type Word = number | bigint;
type Entry = (nr: Word, a: Word, b: Word, c: Word, d: Word, e: Word, f: Word) => number | bigint;

const { i64, i64_fast } = FFIType;
const SIGNATURE = { args: [i64, i64, i64, i64, i64, i64, i64], returns: i64_fast };
const PAGE = 4096;

let entry: Entry | undefined;

function openEntry(): Entry {
  if (process.arch !== "x64" && process.arch !== "arm64") throw new Error(`${process.arch} is not supported`);
  const libc = dlopen("libc.so.6", { syscall: SIGNATURE }).symbols.syscall as unknown as Entry;
  const number = (name: SyscallName) => syscallNumber(name, MACHINE);
  const page = Number(libc(number("mmap"), 0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (page === -1) throw new Error("Cannot map a page for the system call stub");
  new Uint8Array(toArrayBuffer(page as never, 0, PAGE)).set(ENTRY_CODE[MACHINE]);
  // Written first, executable afterwards, never both.
  if (Number(libc(number("mprotect"), page, PAGE, PROT_READ | PROT_EXEC, 0, 0, 0)) !== 0) {
    throw new Error("Cannot make the system call stub executable (does a security policy forbid it?)");
  }
  return CFunction({ ptr: page as never, ...SIGNATURE }) as unknown as Entry;
}

/** Sees every system call made by {@link syscall}: its name, arguments and result. */
export type SyscallObserver = (name: SyscallName, args: readonly Word[], result: number) => void;

let observer: SyscallObserver | undefined;

/** Lets `observe` see every system call from here on (`SKDOCKER_TRACE=syscall`). */
export function observeSyscalls(observe: SyscallObserver | undefined): void {
  observer = observe;
}

/**
 * Test builds (SKDOCKER_FAULTS): asked before each system call; "fail" makes it EIO without its being made. But for
 * close(2): whatever that answers, the descriptor is gone.
 */
type SyscallGate = (name: SyscallName) => "go" | "fail";

let gate: SyscallGate | undefined;
const EIO = 5;

/** Test builds: lets `ask` decide about every system call from here on. */
export function gateSyscalls(ask: SyscallGate): void {
  gate = ask;
}

/**
 * Makes a system call in this process and returns what the kernel returned: a result, or -errno.
 * Arguments are passed as 64-bit words: numbers (negative ones too), bigints, and addresses from
 * {@link addressOf}, whose memory the caller must still refer to after the call.
 */
export function syscall(
  name: SyscallName,
  a: Word = 0,
  b: Word = 0,
  c: Word = 0,
  d: Word = 0,
  e: Word = 0,
  f: Word = 0,
): number {
  entry ??= openEntry();
  if (typeof SKDOCKER_FAULTS !== "undefined" && SKDOCKER_FAULTS && gate?.(name) === "fail") {
    if (name === "close") entry(syscallNumber(name, MACHINE), a, 0, 0, 0, 0, 0);
    return -EIO;
  }
  const result = Number(entry(syscallNumber(name, MACHINE), a, b, c, d, e, f));
  if (observer) observer(name, [a, b, c, d, e, f], result);
  return result;
}

/** What {@link check} says when the kernel refuses: a verb phrase, and what it was done to. */
export interface Doing {
  readonly operation: string;
  readonly subject: string;
}

/** Returns a result that is not an error; throws the {@link KernelError} for a -errno. */
export function check(result: number, doing: Doing): number {
  if (result < 0 && result >= -4095) throw new KernelError({ ...doing, errno: -result });
  return result;
}

/** Calls native code at an address, as `long code(void)`; it must keep to the C calling convention. */
export function callNative(address: number): number {
  entry ??= openEntry();
  return Number(entry(-1, address, 0, 0, 0, 0, 0));
}

/** The address of a buffer's first byte. It stays valid while the caller refers to the buffer. */
export function addressOf(buffer: Uint8Array): number {
  return Number(ptr(buffer));
}

const encoder = new TextEncoder();

/** `text` as a C string: UTF-8 with a NUL at the end. Throws a RangeError where the text has a NUL itself. */
export function cString(text: string): Uint8Array {
  if (text.includes("\0")) throw new RangeError(`${JSON.stringify(text)} contains a NUL character`);
  return encoder.encode(text + "\0");
}

/** A window on `size` bytes of this process's memory at `address`. It does not own the memory. */
export function viewMemory(address: number, size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(toArrayBuffer(address as never, 0, size));
}
