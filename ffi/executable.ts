/**
 * A SyscallProgram as an executable file in memory: what a child becomes for its last steps.
 *
 * A child that is about to execute somebody else's file still stands on our own program: /proc/self/exe leads there,
 * and a file can name it where no check of a path sees it, as the interpreter of a script or of an ELF file. The kernel
 * would then execute our program inside the container, which could open it for writing (CVE-2019-5736). So the
 * child first becomes this: a few pages, in a file of its own that nobody else will ever execute.
 */
import { errnoNumber } from "./errno.ts";
import { addressOf, check, MACHINE, syscall } from "./libc.ts";
import { assembleMapping } from "./codegen.ts";
import { LARGEST_PAGE, type Layout } from "./layout.ts";
import { type Outcome, reportedOutcome, showProgram } from "./native.ts";
import type { Call, SyscallProgram } from "./program.ts";
import type { Machine } from "./syscalls.ts";

/** Where it is mapped: above what mmap_min_addr may forbid, below where the kernel puts anything else. */
const BASE = 0x10000000;

// include/uapi/linux/elf.h, elf-em.h
const ET_EXEC = 2;
const EM: Readonly<Record<Machine, number>> = { x64: 62, arm64: 183 };
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const PF_X = 1;
const PF_W = 2;
const PF_R = 4;
const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;

const F_SETFD = 2; // include/uapi/asm-generic/fcntl.h
const FD_CLOEXEC = 1;

// include/uapi/linux/memfd.h
const MFD_CLOEXEC = 1;
const MFD_EXEC = 0x10;

/** An ELF file of a program that lies at `base`: its header, its data, its code. Pure. */
export function elfFile(
  { bytes, codeAt }: { bytes: Uint8Array; codeAt: number },
  { base, machine }: { base: number; machine: Machine },
): Uint8Array<ArrayBuffer> {
  const page = LARGEST_PAGE[machine]; // offsets in the file and addresses agree to within one
  const file = new Uint8Array(page + bytes.length);
  file.set(bytes, page);
  const view = new DataView(file.buffer);
  // e_ident: magic, 64 bits, little end first, version 1.
  [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1].forEach((byte, index) => view.setUint8(index, byte));
  const half = (at: number, value: number) => view.setUint16(at, value, true);
  const word = (at: number, value: number) => view.setUint32(at, value, true);
  const long = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  half(16, ET_EXEC);
  half(18, EM[machine]);
  word(20, 1); // e_version
  long(24, base + codeAt); // e_entry
  long(32, HEADER_BYTES); // e_phoff
  half(52, HEADER_BYTES);
  half(54, SEGMENT_BYTES);
  half(56, 3); // e_phnum
  const segment = (index: number, { type, flags, from, to }: Record<"type" | "flags" | "from" | "to", number>) => {
    const at = HEADER_BYTES + index * SEGMENT_BYTES;
    word(at, type);
    word(at + 4, flags);
    if (to === from) return;
    long(at + 8, page + from); // p_offset
    for (const address of [16, 24]) long(at + address, base + from); // p_vaddr, p_paddr
    for (const size of [32, 40]) long(at + size, to - from); // p_filesz, p_memsz
    long(at + 48, page);
  };
  segment(0, { type: PT_LOAD, flags: PF_R | PF_W, from: 0, to: codeAt });
  segment(1, { type: PT_LOAD, flags: PF_R | PF_X, from: codeAt, to: bytes.length });
  // Without this one, older kernels would make the stack, and all that is mapped after it, executable.
  segment(2, { type: PT_GNU_STACK, flags: PF_R | PF_W, from: 0, to: 0 });
  return file;
}

/** An executable file without a name. Close-on-exec: whoever executes it by its descriptor does not keep it. */
export class Executable implements Disposable {
  readonly fd: number;
  readonly #layout: Layout;

  /**
   * `status`: the status pipe's writing end, for a report of what fails; close-on-exec again from the first step on.
   * Throws the KernelError of a host that forbids executable files in memory (vm.memfd_noexec=2).
   */
  constructor(program: SyscallProgram, status: number) {
    const whole = showProgram(reporting(program, status));
    const { bytes, layout } = assembleMapping(whole, { base: BASE, machine: MACHINE });
    this.#layout = layout;
    this.fd = makeFile(elfFile({ bytes, codeAt: layout.codeAt }, { base: BASE, machine: MACHINE }));
  }

  /** What a process that executed it has reported (failure mode "report"). */
  outcome(report: Uint8Array): Outcome {
    return reportedOutcome(report, this.#layout);
  }

  [Symbol.dispose](): void {
    syscall("close", this.fd);
  }
}

function reporting({ items, buffers }: SyscallProgram, status: number): SyscallProgram {
  const doing = { operation: "keep", subject: "the status pipe" };
  const closing: Call = { call: "fcntl", args: [status, F_SETFD, FD_CLOEXEC], ...doing };
  return { items: [{ onFailure: { report: status } }, closing, ...items], ...(buffers ? { buffers } : {}) };
}

function makeFile(content: Uint8Array): number {
  const name = new TextEncoder().encode("skdocker\0");
  const make = (flags: number) => syscall("memfd_create", addressOf(name), flags);
  let fd = make(MFD_CLOEXEC | MFD_EXEC);
  if (fd === -errnoNumber("EINVAL")) fd = make(MFD_CLOEXEC); // Linux before 6.3, where all are executable
  const doing = { operation: "make", subject: "an executable file in memory" };
  check(fd, doing);
  const written = syscall("write", fd, addressOf(content), content.length);
  if (written === content.length) return fd;
  syscall("close", fd);
  check(written, doing);
  throw new Error("an executable file in memory was cut short");
}
