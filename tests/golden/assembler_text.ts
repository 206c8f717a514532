/**
 * The verbs of the assemblers as GNU as wants to read them: written from what each verb means and from the
 * paddings its assembler declares, without a look at any encoding.
 */
import type { Assembler } from "../../ffi/assembler.ts";
import type { Machine } from "../../ffi/syscalls.ts";

/** One verb with its operands; labels are numbers. */
export type Verb =
  | readonly ["enter" | "return" | "trap"]
  | readonly ["setArgument", index: number, value: number | bigint]
  | readonly ["loadArgument", index: number, address: number]
  | readonly ["syscall", nr: number, step: number]
  | readonly ["storeResult" | "storeFailure", address: number]
  | readonly ["jumpIfError" | "jump" | "place", label: number]
  | readonly ["jumpIfEqual", value: number, label: number];

/** Has an assembler carry out the verbs, and finish. */
export function assembleVerbs(assembler: Assembler, verbs: readonly Verb[]): Uint8Array {
  const { code } = assembler;
  const labels: number[] = [];
  const label = (number: number) => labels[number] ??= code.newLabel();
  for (const verb of verbs) {
    switch (verb[0]) {
      case "enter":
        assembler.enter();
        break;
      case "return":
        assembler.return();
        break;
      case "trap":
        assembler.trap();
        break;
      case "setArgument":
        assembler.setArgument(verb[1], verb[2]);
        break;
      case "loadArgument":
        assembler.loadArgument(verb[1], verb[2]);
        break;
      case "syscall":
        assembler.syscall(verb[1], verb[2]);
        break;
      case "storeResult":
        assembler.storeResult(verb[1]);
        break;
      case "storeFailure":
        assembler.storeFailure(verb[1]);
        break;
      case "jumpIfError":
        assembler.jumpIfError(label(verb[1]));
        break;
      case "jumpIfEqual":
        assembler.jumpIfEqual(verb[1], label(verb[2]));
        break;
      case "jump":
        assembler.jump(label(verb[1]));
        break;
      case "place":
        code.place(label(verb[1]));
    }
  }
  assembler.finish();
  return new Uint8Array(code.words.buffer, 0, code.at * 4);
}

/** The verbs as a source file. */
export function gnuText(machine: Machine, verbs: readonly Verb[]): string {
  const constants: string[] = [];
  const lines = verbs.flatMap((verb) => machine === "x64" ? x64Lines(verb, constants) : arm64Lines(verb));
  return [...lines, ...constants, ""].join("\n");
}

const X64_64 = ["%rdi", "%rsi", "%rdx", "%r10", "%r8", "%r9"];
const X64_32 = ["%edi", "%esi", "%edx", "%r10d", "%r8d", "%r9d"];
/** No-ops in front of a constant: of two bytes and of three. */
const NOP2 = "xchg %ax,%ax";
const NOP3 = "nopl (%rax)";

/** `constants` takes definitions that must come last: a comparison has room for 32 bits only with what is not yet known. */
function x64Lines(verb: Verb, constants: string[]): string[] {
  const pointTo = (address: number) => [NOP2, `movabs $${address},%rcx`];
  const compare = (value: number) => {
    constants.push(`.set C${constants.length}, ${value}`);
    return [NOP2, `cmp $C${constants.length - 1},%rax`, NOP2];
  };
  switch (verb[0]) {
    case "enter":
      return ["push %rbx", NOP2, "nop"];
    case "return":
      return ["pop %rbx", "ret", NOP2];
    case "trap":
      return ["ud2", NOP2];
    case "setArgument": {
      const [, index, value] = verb;
      if (value < 0 || value > 0x7fffffff || typeof value === "bigint") {
        return [NOP2, `movabs $${value},${X64_64[index]}`];
      }
      const extended = index >= 3; // r8 and above take a prefix, so one byte less of padding
      return [extended ? NOP2 : NOP3, `mov $${value},${X64_32[index]}`];
    }
    case "loadArgument":
      return [...pointTo(verb[2]), `mov (%rcx),${X64_64[verb[1]]}`, "nop"];
    case "syscall":
      return [NOP3, `mov $${verb[2]},%ebx`, NOP3, `mov $${verb[1]},%eax`, "syscall", NOP2];
    case "storeResult":
      return [...pointTo(verb[1]), "mov %rax,(%rcx)", "nop"];
    case "storeFailure":
      return [...pointTo(verb[1]), "mov %rbx,(%rcx)", "nop", "mov %rax,8(%rcx)"];
    case "jumpIfError":
      return [...compare(-4095), `{disp32} jae L${verb[1]}`];
    case "jumpIfEqual":
      return [...compare(verb[1]), `{disp32} je L${verb[2]}`];
    case "jump":
      return [NOP3, `{disp32} jmp L${verb[1]}`];
    case "place":
      return [`L${verb[1]}:`];
  }
}

function arm64Lines(verb: Verb): string[] {
  const pointTo = (address: number) => arm64Constant("x9", address);
  switch (verb[0]) {
    case "enter":
      return [];
    case "return":
      return ["ret"];
    case "trap":
      return ["udf #0"];
    case "setArgument":
      return arm64Constant(`x${verb[1]}`, verb[2]);
    case "loadArgument":
      return [...pointTo(verb[2]), `ldr x${verb[1]}, [x9]`];
    case "syscall":
      return [...arm64Constant("x11", verb[2]), ...arm64Constant("x8", verb[1]), "svc #0"];
    case "storeResult":
      return [...pointTo(verb[1]), "str x0, [x9]"];
    case "storeFailure":
      return [...pointTo(verb[1]), "str x11, [x9]", "str x0, [x9, #8]"];
    case "jumpIfError":
      return [...arm64Constant("x10", -4096), "cmp x0, x10", `b.hi L${verb[1]}`];
    case "jumpIfEqual":
      return [...arm64Constant("x10", verb[1]), "cmp x0, x10", `b.eq L${verb[2]}`];
    case "jump":
      return [`b L${verb[1]}`];
    case "place":
      return [`L${verb[1]}:`];
  }
}

/** A 64-bit constant in pieces of 16 bits: the lowest by movz (movn where the top bit is set), the rest where they differ. */
function arm64Constant(register: string, value: number | bigint): string[] {
  const digits = BigInt.asUintN(64, BigInt(value)).toString(16).padStart(16, "0");
  const [top, third, second, lowest] = digits.match(/.{4}/g)!; // 16 digits are four times four
  const negative = digits[0]! >= "8"; // it has 16 digits
  const filler = negative ? "ffff" : "0000";
  const first = negative ? `movn ${register}, #(0xffff - 0x${lowest})` : `movz ${register}, #0x${lowest}`;
  const rest = [second, third, top].map((part, index) =>
    part === filler ? "" : `movk ${register}, #0x${part}, lsl #${16 * (index + 1)}`
  );
  return [first, ...rest.filter((line) => line !== "")];
}

/** A sequence in which every verb stands, with constants of every kind: what the goldens were made from. */
export const EVERY_VERB: readonly Verb[] = [
  ["enter"],
  ...[0, 1, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 2 ** 32, 2 ** 53 - 1].map((value, index) =>
    ["setArgument", index % 6, value] as const
  ),
  ...[-1, -2, -100, -0x8000, -0x10000, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 53) + 1].map((value, index) =>
    ["setArgument", index % 6, value] as const
  ),
  ["setArgument", 3, 0xffff0000ffff0000n],
  ["setArgument", 4, 0x7fff_0000_0001_ffffn],
  ["place", 0],
  ...[0, 1, 2, 3, 4, 5].map((index) => ["loadArgument", index, 0x7f12_3456_7000 + 8 * index] as const),
  ["syscall", 0, 1],
  ["jumpIfEqual", 0, 1],
  ["storeResult", 0x7f12_3456_7890],
  ["jumpIfEqual", -17, 2],
  ["jumpIfError", 3],
  ["jumpIfEqual", 65535, 0],
  ["syscall", 437, 300],
  ["jump", 0],
  ["jump", 4],
  ["place", 1],
  ["return"],
  ["place", 2],
  ["place", 3],
  ["storeFailure", 0x7f12_3456_0000],
  ["place", 4],
  ["trap"],
];

/** The native entry (libc.ts), and the signal handlers for descriptor 0x12345 (signal_handler.ts), as source texts. */
export const FIXED_CODE = {
  x64: {
    entry: `cmp $-1,%rdi; je 1f; mov %rdi,%rax; mov %rsi,%rdi; mov %rdx,%rsi; mov %rcx,%rdx; mov %r8,%r10
      mov %r9,%r8; mov 8(%rsp),%r9; syscall; ret; 1: jmp *%rsi
`,
    signalHandler: `movslq %edi,%rdi; push %rdi; mov $0x12345,%edi; mov %rsp,%rsi; mov $8,%edx; mov $1,%eax; syscall
      pop %rdi; ret; mov $15,%eax; syscall
`,
  },
  arm64: {
    entry: `cmn x0,#1; b.eq 1f; mov x8,x0; mov x0,x1; mov x1,x2; mov x2,x3; mov x3,x4; mov x4,x5; mov x5,x6
      svc #0; ret; 1: br x1
`,
    signalHandler: `sxtw x0,w0; str x0,[sp,#-16]!; movz x0,#0x2345; movk x0,#1,lsl #16; mov x1,sp; mov x2,#8
      mov x8,#64; svc #0; add sp,sp,#16; ret
`,
  },
} as const;
