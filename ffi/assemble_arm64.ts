/**
 * arm64: SyscallProgram verbs to machine code. Arguments in x0 to x5, number in x8, result in x0; x9 and x10
 * are scratch (the procedure call standard, AAPCS64, lets a function clobber all of these). The result
 * register is also the first argument register, so a result is stored or tested before the next call is set up.
 * Encodings: Arm Architecture Reference Manual, chapter C6.
 */
import { type Assembler, CodeBuffer, halves } from "./assembler.ts";

const X0 = 0;
const X8 = 8;
const SCRATCH = 9;
const VALUE = 10;

/** Condition codes of b.cond. */
const EQ = 0;
const HI = 8;

/** An assembler for arm64. */
export class Arm64Assembler implements Assembler {
  readonly #code = new CodeBuffer();

  setArgument(index: number, value: number | bigint): void {
    this.#set(index, value);
  }

  loadArgument(index: number, address: number): void {
    this.#set(SCRATCH, address);
    this.#code.word32(0xf9400000 | (SCRATCH << 5) | index); // ldr xI, [x9]
  }

  syscall(nr: number): void {
    this.#set(X8, nr);
    this.#code.word32(0xd4000001); // svc #0
  }

  storeResult(address: number): void {
    this.#set(SCRATCH, address);
    this.#code.word32(0xf9000000 | (SCRATCH << 5) | X0); // str x0, [x9]
  }

  storeConstant(address: number, value: number): void {
    this.#set(SCRATCH, address);
    this.#set(VALUE, value);
    this.#code.word32(0xf9000000 | (SCRATCH << 5) | VALUE); // str x10, [x9]
  }

  jumpIfError(label: string): void {
    this.#set(VALUE, -4096);
    this.#compare(); // b.hi: unsigned, so only -4095 to -1 lie above
    this.#branch(HI, label);
  }

  jumpIfEqual(value: number, label: string): void {
    this.#set(VALUE, value);
    this.#compare();
    this.#branch(EQ, label);
  }

  jump(label: string): void {
    this.#code.jumpAt(this.#code.length, label);
    this.#code.word32(0x14000000); // b label
  }

  label(name: string): void {
    this.#code.label(name);
  }

  return(): void {
    this.#code.word32(0xd65f03c0); // ret
  }

  trap(): void {
    this.#code.word32(0x00000000); // udf #0
  }

  finish(): Uint8Array {
    return this.#code.finish((existing, distance) =>
      existing >>> 24 === 0x54
        ? existing | ((within(distance >> 2, 19) & 0x7ffff) << 5) // b.cond: 19 bits
        : existing | (within(distance >> 2, 26) & 0x3ffffff) // b: 26 bits
    );
  }

  /** movz (or movn for negative values), then movk for every further 16 bits that differ. */
  #set(register: number, value: number | bigint): void {
    const [low, high] = halves(value);
    const parts = [low & 0xffff, low >>> 16, high & 0xffff, high >>> 16];
    const negative = parts.filter((part) => part === 0xffff).length > parts.filter((part) => part === 0).length;
    const filler = negative ? 0xffff : 0;
    const first = Math.max(0, parts.findIndex((part) => part !== filler));
    const start = parts[first] as number;
    const move = negative ? 0x92800000 : 0xd2800000;
    this.#code.word32(move | (first << 21) | ((negative ? ~start & 0xffff : start) << 5) | register);
    for (let i = first + 1; i < 4; i++) {
      const part = parts[i] as number;
      if (part !== filler) this.#code.word32(0xf2800000 | (i << 21) | (part << 5) | register);
    }
  }

  #compare(): void {
    this.#code.word32(0xeb00001f | (VALUE << 16) | (X0 << 5)); // cmp x0, x10
  }

  #branch(condition: number, label: string): void {
    this.#code.jumpAt(this.#code.length, label);
    this.#code.word32(0x54000000 | condition);
  }
}

function within(offset: number, bits: number): number {
  if (offset < -(2 ** (bits - 1)) || offset >= 2 ** (bits - 1)) throw new RangeError("a jump is out of reach");
  return offset;
}
