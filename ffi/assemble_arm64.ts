/**
 * arm64: SyscallProgram verbs to machine code. Arguments in x0 to x5, number in x8, result in x0; x9, x10 and x11
 * are free for a function to clobber (AAPCS64), and the kernel preserves them: x9 and x10 are scratch, x11 holds
 * the number of the step. The result register is also the first argument register, so a result is stored or
 * tested before the next call is set up.
 * Encodings: Arm Architecture Reference Manual, chapter C6.
 */
import { type Assembler, type CodeWords, type Label, lowerHalf, upperHalf } from "./assembler.ts";

const RESULT = 0;
const NUMBER = 8;
const SCRATCH = 9;
const VALUE = 10;
const STEP = 11;

const MOVZ = 0xd2800000;
const MOVN = 0x92800000;
const MOVK = 0xf2800000;
const LDR = 0xf9400000; // ldr xT, [xN, #imm12 * 8]
const STR = 0xf9000000;
const CMP = 0xeb00001f;
const B = 0x14000000;
const B_EQ = 0x54000000;
const B_HI = 0x54000008;
const SVC = 0xd4000001;
const RET = 0xd65f03c0;
const UDF = 0;

/** How far a conditional branch reaches: 19 bits of words, with a sign. */
const REACH = 2 ** 18;

/** An assembler for arm64. */
export class Arm64Assembler implements Assembler {
  readonly code: CodeWords;

  constructor(code: CodeWords) {
    this.code = code;
  }

  enter(): void {
    // Nothing that C expects to be preserved is touched.
  }

  setArgument(index: number, value: number | bigint): void {
    this.#set(index, value);
  }

  loadArgument(index: number, address: number): void {
    this.#set(SCRATCH, address);
    this.#one(LDR | (SCRATCH << 5) | index);
  }

  syscall(nr: number, step: number): void {
    this.#set(STEP, step);
    this.#set(NUMBER, nr);
    this.#one(SVC);
  }

  storeResult(address: number): void {
    this.#set(SCRATCH, address);
    this.#one(STR | (SCRATCH << 5) | RESULT);
  }

  storeFailure(address: number): void {
    this.#set(SCRATCH, address);
    this.#one(STR | (SCRATCH << 5) | STEP);
    this.#one(STR | (1 << 10) | (SCRATCH << 5) | RESULT);
  }

  jumpIfError(label: Label): void {
    this.#set(VALUE, -4096);
    this.#compareAndBranch(B_HI, label); // unsigned, so only -4095 to -1 lie above
  }

  jumpIfEqual(value: number, label: Label): void {
    this.#set(VALUE, value);
    this.#compareAndBranch(B_EQ, label);
  }

  jump(label: Label): void {
    this.code.expectJump(label);
    this.#one(B);
  }

  return(): void {
    this.#one(RET);
  }

  trap(): void {
    this.#one(UDF);
  }

  finish(): void {
    const { words } = this.code;
    this.code.resolve((at, distance) => {
      if (Math.abs(distance) >= REACH) throw new RangeError("a jump is out of reach");
      const instruction = words[at] as number;
      words[at] = instruction === B ? B | (distance & 0x3ffffff) : instruction | ((distance & 0x7ffff) << 5);
    });
  }

  /** movz (movn for a negative value), then movk for every 16 bits that differ from what that left. */
  #set(register: number, value: number | bigint): void {
    const low = lowerHalf(value);
    const high = upperHalf(value);
    const filler = high < 0 ? 0xffff : 0;
    const move = filler === 0 ? MOVZ | ((low & 0xffff) << 5) : MOVN | ((~low & 0xffff) << 5);
    this.#one(move | register);
    this.#keep(register, 1, low >>> 16, filler);
    this.#keep(register, 2, high & 0xffff, filler);
    this.#keep(register, 3, (high >>> 16) & 0xffff, filler);
  }

  #keep(register: number, position: number, part: number, filler: number): void {
    if (part !== filler) this.#one(MOVK | (position << 21) | (part << 5) | register);
  }

  #compareAndBranch(branch: number, label: Label): void {
    this.#one(CMP | (VALUE << 16) | (RESULT << 5)); // cmp x0, x10
    this.code.expectJump(label);
    this.#one(branch);
  }

  #one(word: number): void {
    this.code.words[this.code.at++] = word;
  }
}
