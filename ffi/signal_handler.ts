/**
 * Signals as bytes in a pipe, by a handler in machine code.
 *
 * A handler runs in the middle of whatever the thread was doing, in the engine's garbage collector for instance,
 * so no JavaScript may run in it, and the engine's own handlers need its event loop, which a synchronous
 * supervisor never enters. This one makes a single write(2) of eight bytes, touches no errno, and returns.
 */
import { addressOf, check, MACHINE, MAP_ANONYMOUS, MAP_PRIVATE, syscall, viewMemory } from "./libc.ts";
import type { Item, SyscallProgram } from "./program.ts";
import type { Machine } from "./syscalls.ts";

/** What a handler writes: the signal's number, as a 64-bit word, little end first. */
export const SIGNAL_BYTES = 8;

/**
 * `movslq %edi,%rdi; push %rdi; mov $FD,%edi; mov %rsp,%rsi; mov $8,%edx; mov $1,%eax; syscall; pop %rdi; ret`,
 * where `ret` goes to the restorer behind it: `mov $15,%eax; syscall` (rt_sigreturn).
 */
// deno-fmt-ignore
const HANDLER_X64 = [
  0x48, 0x63, 0xff, 0x57, 0xbf, 0, 0, 0, 0, 0x48, 0x89, 0xe6, 0xba, 0x08, 0, 0, 0, 0xb8, 0x01, 0, 0, 0, 0x0f, 0x05,
  0x5f, 0xc3, 0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05,
];
const RESTORER_X64 = 26;

/**
 * `sxtw x0,w0; str x0,[sp,#-16]!; movz x0,#FD; movk x0,#FD>>16,lsl #16; mov x1,sp; mov x2,#8; mov x8,#64; svc #0;
 * add sp,sp,#16; ret`: the kernel has set the return address to its own rt_sigreturn.
 */
const HANDLER_ARM64 = [
  0x93407c00,
  0xf81f0fe0,
  0xd2800000,
  0xf2a00000,
  0x910003e1,
  0xd2800102,
  0xd2800808,
  0xd4000001,
  0x910043ff,
  0xd65f03c0,
] as const;

/** The handler's code that writes to descriptor `fd`. Pure. */
export function signalHandlerCode(fd: number, machine: Machine): Uint8Array<ArrayBuffer> {
  if (machine === "x64") {
    const code = new Uint8Array(HANDLER_X64);
    new DataView(code.buffer).setUint32(5, fd, true);
    return code;
  }
  const words = new Uint32Array(HANDLER_ARM64);
  words[2] = HANDLER_ARM64[2] | ((fd & 0xffff) << 5);
  words[3] = HANDLER_ARM64[3] | ((fd >>> 16) << 5);
  return new Uint8Array(words.buffer);
}

// include/uapi/asm-generic/mman-common.h, include/uapi/asm-generic/signal-defs.h
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const SA_RESTORER = 0x04000000;
const SA_RESTART = 0x10000000;
const PAGE = 4096;
/** struct kernel_sigaction on both machines: handler, flags, restorer, mask. */
const ACTION_BYTES = 32;
const SIGSET_BYTES = 8;

/** The buffer of {@link catchProgram} that holds the action. */
export const ACTION = "action";

/** The buffer that a signal's former action is left in. */
export function formerAction(signal: number): string {
  return `former ${signal}`;
}

/** Gives every one of the signals the action in the buffer {@link ACTION}; leaves what each had before. Pure. */
export function catchProgram(signals: readonly number[]): SyscallProgram {
  const buffers: Record<string, number> = { [ACTION]: ACTION_BYTES };
  const items: Item[] = [];
  for (const signal of signals) {
    buffers[formerAction(signal)] = ACTION_BYTES;
    items.push({
      call: "rt_sigaction",
      args: [signal, { buffer: ACTION }, { buffer: formerAction(signal) }, SIGSET_BYTES],
      operation: "catch",
      subject: `signal ${signal}`,
    });
  }
  return { items, buffers };
}

/**
 * The struct kernel_sigaction of a handler in memory that writes to `fd`, the writing end of a pipe: non-blocking, so
 * that a full pipe drops signals instead of hanging the thread. The memory is never given back: a signal may be in it.
 */
export function handlerAction(fd: number): Uint8Array {
  const doing = { operation: "map memory for", subject: "a signal handler" };
  const flags = MAP_PRIVATE | MAP_ANONYMOUS;
  const address = check(syscall("mmap", 0, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0), doing);
  viewMemory(address, PAGE).set(signalHandlerCode(fd, MACHINE));
  check(syscall("mprotect", address, PAGE, PROT_READ | PROT_EXEC), doing);
  const bytes = new Uint8Array(ACTION_BYTES);
  const action = new DataView(bytes.buffer);
  // SA_RESTART: the engine's own system calls go on as if nothing had been.
  action.setBigUint64(0, BigInt(address), true);
  action.setBigUint64(8, BigInt(SA_RESTART | (MACHINE === "x64" ? SA_RESTORER : 0)), true);
  action.setBigUint64(16, MACHINE === "x64" ? BigInt(address + RESTORER_X64) : 0n, true);
  bytes.fill(0xff, 24); // no other signal interrupts the handler
  return bytes;
}

/** Gives a signal back what it did before. */
export function restoreAction(signal: number, action: Uint8Array): void {
  const result = syscall("rt_sigaction", signal, addressOf(action), 0, SIGSET_BYTES);
  check(result, { operation: "restore the disposition of", subject: `signal ${signal}` });
}
