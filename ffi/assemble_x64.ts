/**
 * x86-64: SyscallProgram verbs to machine code. Arguments in rdi rsi rdx r10 r8 r9, number and result in rax;
 * the call itself clobbers rcx and r11 (arch/x86/entry/entry_64.S), so rcx serves as the scratch register.
 * Nothing that the C calling convention preserves is touched, and the stack is not used.
 * Encodings: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.
 */
import { type Assembler, CodeBuffer, halves } from "./assembler.ts";

// Register numbers as ModRM and opcodes have them.
const RAX = 0;
const RCX = 1;
const ARGUMENTS = [7, 6, 2, 10, 8, 9] as const;

/** REX prefix bits (0100WRXB). */
const REX_W = 0x48;
const REX_B = 0x41;
const REX_R = 0x44;

/** An assembler for x86-64. */
export class X64Assembler implements Assembler {
  readonly #code = new CodeBuffer();

  setArgument(index: number, value: number | bigint): void {
    this.#set(ARGUMENTS[index] as number, value);
  }

  loadArgument(index: number, address: number): void {
    const register = ARGUMENTS[index] as number;
    this.#set(RCX, address);
    // mov (%rcx),%register
    this.#bytes(REX_W | (register >= 8 ? REX_R : 0), 0x8b, ((register & 7) << 3) | RCX);
  }

  syscall(nr: number): void {
    this.#set(RAX, nr);
    this.#bytes(0x0f, 0x05);
  }

  storeResult(address: number): void {
    this.#set(RCX, address);
    this.#bytes(REX_W, 0x89, (RAX << 3) | RCX); // mov %rax,(%rcx)
  }

  storeConstant(address: number, value: number): void {
    this.#set(RCX, address);
    this.#bytes(REX_W, 0xc7, RCX); // movq $imm32,(%rcx)
    this.#code.word32(value);
  }

  jumpIfError(label: string): void {
    this.#bytes(REX_W, 0x3d); // cmp $-4095,%rax; jae: unsigned, so only the top 4095 values are errors
    this.#code.word32(-4095);
    this.#jump([0x0f, 0x83], label);
  }

  jumpIfEqual(value: number, label: string): void {
    this.#bytes(REX_W, 0x3d); // cmp $imm32,%rax; je
    this.#code.word32(value);
    this.#jump([0x0f, 0x84], label);
  }

  jump(label: string): void {
    this.#jump([0xe9], label);
  }

  label(name: string): void {
    this.#code.label(name);
  }

  return(): void {
    this.#code.byte(0xc3);
  }

  trap(): void {
    this.#bytes(0x0f, 0x0b); // ud2
  }

  finish(): Uint8Array {
    return this.#code.finish((_existing, distance) => distance - 4); // relative to the next instruction
  }

  /** The shortest mov that gives the register this value. */
  #set(register: number, value: number | bigint): void {
    const [low, high] = halves(value);
    const extended = register >= 8;
    if (high === 0) { // mov $imm32,%r32 clears the upper half
      if (extended) this.#code.byte(REX_B);
      this.#code.byte(0xb8 | (register & 7));
      this.#code.word32(low);
    } else if (high === 0xffffffff && low >= 0x80000000) { // movq $imm32 (sign-extended)
      this.#bytes(REX_W | (extended ? 1 : 0), 0xc7, 0xc0 | (register & 7));
      this.#code.word32(low);
    } else { // movabs $imm64
      this.#bytes(REX_W | (extended ? 1 : 0), 0xb8 | (register & 7));
      this.#code.word32(low);
      this.#code.word32(high);
    }
  }

  #jump(opcode: readonly number[], label: string): void {
    this.#bytes(...opcode);
    this.#code.jumpAt(this.#code.length, label);
    this.#code.word32(0);
  }

  #bytes(...bytes: number[]): void {
    for (const byte of bytes) this.#code.byte(byte);
  }
}
