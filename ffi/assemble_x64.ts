/**
 * x86-64: SyscallProgram verbs to machine code. Arguments in rdi rsi rdx r10 r8 r9, number and result in rax;
 * the call itself clobbers rcx and r11 (arch/x86/entry/entry_64.S), so rcx is the scratch register. ebx holds
 * the number of the step and is the one register that C expects to be preserved.
 *
 * Every instruction is padded with a no-op in front, so that constants and distances fall on whole words.
 * Encodings: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.
 */
import { type Assembler, type CodeWords, type Label, lowerHalf, upperHalf } from "./assembler.ts";

// Four bytes each, the first one lowest. 66 90 is a no-op of two bytes, 0f 1f 00 one of three.
/** mov $imm32,%r32, which clears the upper half: rdi rsi rdx r10 r8 r9. */
const SET_32 = [0xbf001f0f, 0xbe001f0f, 0xba001f0f, 0xba419066, 0xb8419066, 0xb9419066] as const;
/** movabs $imm64,%r64 */
const SET_64 = [0xbf489066, 0xbe489066, 0xba489066, 0xba499066, 0xb8499066, 0xb9499066] as const;
/** mov (%rcx),%r64; nop */
const LOAD = [0x90398b48, 0x90318b48, 0x90118b48, 0x90118b4c, 0x90018b4c, 0x90098b4c] as const;
const MOVABS_RCX = 0xb9489066;
const MOV_EAX = 0xb8001f0f;
const MOV_EBX = 0xbb001f0f;
const SYSCALL = 0x9066050f;
const STORE_RAX = 0x90018948; // mov %rax,(%rcx)
const STORE_RBX = 0x90198948; // mov %rbx,(%rcx)
const STORE_RAX_NEXT = 0x08418948; // mov %rax,8(%rcx)
const CMP_RAX = 0x3d489066; // cmp $imm32 (sign-extended),%rax
const JAE = 0x830f9066;
const JE = 0x840f9066;
const JMP = 0xe9001f0f;
const PUSH_RBX = 0x90906653; // push %rbx; two no-ops
const POP_RBX_RET = 0x9066c35b; // pop %rbx; ret
const UD2 = 0x90660b0f;

/** An assembler for x86-64. */
export class X64Assembler implements Assembler {
  readonly code: CodeWords;

  constructor(code: CodeWords) {
    this.code = code;
  }

  enter(): void {
    this.#one(PUSH_RBX);
  }

  setArgument(index: number, value: number | bigint): void {
    const { words } = this.code;
    if (typeof value === "number" && value >= 0 && value <= 0x7fffffff && value === (value | 0)) {
      words[this.code.at++] = SET_32[index] as number;
      words[this.code.at++] = value;
      return;
    }
    words[this.code.at++] = SET_64[index] as number;
    words[this.code.at++] = lowerHalf(value);
    words[this.code.at++] = upperHalf(value);
  }

  loadArgument(index: number, address: number): void {
    this.#pointTo(address);
    this.#one(LOAD[index] as number);
  }

  syscall(nr: number, step: number): void {
    this.#two(MOV_EBX, step);
    this.#two(MOV_EAX, nr);
    this.#one(SYSCALL);
  }

  storeResult(address: number): void {
    this.#pointTo(address);
    this.#one(STORE_RAX);
  }

  storeFailure(address: number): void {
    this.#pointTo(address);
    this.#one(STORE_RBX);
    this.#one(STORE_RAX_NEXT);
  }

  jumpIfError(label: Label): void {
    this.#two(CMP_RAX, -4095); // jae: unsigned, so only the top 4095 values are errors
    this.#jump(JAE, label);
  }

  jumpIfEqual(value: number, label: Label): void {
    if (value !== (value | 0)) throw new RangeError(`${value} does not fit in a comparison`);
    this.#two(CMP_RAX, value);
    this.#jump(JE, label);
  }

  jump(label: Label): void {
    this.#jump(JMP, label);
  }

  return(): void {
    this.#one(POP_RBX_RET);
  }

  trap(): void {
    this.#one(UD2);
  }

  finish(): void {
    // A distance counts bytes from the end of the instruction, which is the end of the word.
    this.code.resolve((at, distance) => this.code.words[at] = (distance - 1) * 4);
  }

  #pointTo(address: number): void {
    this.#one(MOVABS_RCX);
    this.#two(lowerHalf(address), upperHalf(address));
  }

  #jump(opcode: number, label: Label): void {
    this.#one(opcode);
    this.code.expectJump(label);
    this.#one(0);
  }

  #one(word: number): void {
    this.code.words[this.code.at++] = word;
  }

  #two(first: number, second: number): void {
    this.code.words[this.code.at++] = first;
    this.code.words[this.code.at++] = second;
  }
}
