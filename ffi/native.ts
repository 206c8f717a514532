/**
 * SyscallProgram → memory and machine code → run.
 *
 * One mapping per program: data first (status words, results, scratch buffers, constants), code behind it on
 * pages of its own, written first and then made executable and no longer writable. The mapping is MAP_SHARED,
 * so the status words reach the parent from a child that does not share its memory, too.
 */
import { KernelError } from "./errno.ts";
import { errnoNumber } from "./errno.ts";
import { Arm64Assembler } from "./assemble_arm64.ts";
import { X64Assembler } from "./assemble_x64.ts";
import type { Assembler } from "./assembler.ts";
import { callNative, check, cString, MACHINE, MAP_ANONYMOUS, MAP_SHARED, syscall, viewMemory } from "./libc.ts";
import { type Argument, type Call, type FailureMode, isCall, type SyscallProgram } from "./program.ts";
import { type Machine, syscallNumber } from "./syscalls.ts";

// include/uapi/asm-generic/mman-common.h
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;

const PAGE = 4096;
const WORD = 8;
/** The status words: 1 + the index of the failed call among the calls, and its result. */
const STATUS_WORDS = 2;
/** What the code of one item can take at most, apart from tolerated errnos (see the assemblers). */
const CODE_PER_ITEM = 320;
const CODE_PER_ERRNO = 32;

/** Exit status of a child whose program failed; what failed is in the status words. */
export const PROGRAM_FAILED = 125;

/** Where a program's data lie: offsets from the start of the mapping. */
interface Layout {
  readonly calls: readonly Call[];
  readonly resultOf: ReadonlyMap<string, number>;
  readonly bufferAt: ReadonlyMap<string, { offset: number; size: number }>;
  readonly constantAt: Map<Argument, number>;
  readonly constants: { offset: number; bytes: Uint8Array | readonly Argument[] }[];
  readonly size: number;
}

function layOut(program: SyscallProgram): Layout {
  const calls = program.items.filter(isCall);
  const resultOf = new Map<string, number>();
  calls.forEach((call, index) => call.as !== undefined && resultOf.set(call.as, (STATUS_WORDS + index) * WORD));
  let size = (STATUS_WORDS + calls.length) * WORD;
  const take = (bytes: number) => {
    const offset = size;
    size += (bytes + 15) & ~15; // 16: the alignment of a stack, and of anything the kernel reads
    return offset;
  };
  const bufferAt = new Map<string, { offset: number; size: number }>();
  for (const [name, bytes] of Object.entries(program.buffers ?? {})) {
    bufferAt.set(name, { offset: take(bytes), size: (bytes + 15) & ~15 });
  }
  const layout: Layout = { calls, resultOf, bufferAt, constantAt: new Map(), constants: [], size: 0 };
  const place = (argument: Argument): void => {
    if (typeof argument !== "object" || layout.constantAt.has(argument)) return;
    if ("text" in argument) return keep(argument, cString(argument.text));
    if ("bytes" in argument) return keep(argument, argument.bytes);
    if (!("words" in argument)) return;
    argument.words.forEach(place);
    keep(argument, argument.words);
  };
  const keep = (argument: Argument, bytes: Uint8Array | readonly Argument[]): void => {
    const offset = take(bytes instanceof Uint8Array ? bytes.length : bytes.length * WORD);
    layout.constantAt.set(argument, offset);
    layout.constants.push({ offset, bytes });
  };
  for (const call of calls) call.args.forEach(place);
  return { ...layout, size };
}

/** The value of an argument that is known before the program runs; `undefined` for an earlier result. */
function known(argument: Argument, { layout, base }: { layout: Layout; base: number }): number | bigint | undefined {
  if (typeof argument !== "object") return argument;
  if ("result" in argument) return undefined;
  if ("buffer" in argument || "end" in argument) {
    const name = "buffer" in argument ? argument.buffer : argument.end;
    const found = layout.bufferAt.get(name);
    if (!found) throw new Error(`buffer "${name}" is not declared`);
    return base + found.offset + ("end" in argument ? found.size : 0);
  }
  return base + (layout.constantAt.get(argument) as number);
}

function assembleCall(
  assembler: Assembler,
  call: Call,
  at: { layout: Layout; base: number; index: number; machine: Machine },
) {
  const { base, index } = at;
  call.args.forEach((argument, position) => {
    const value = known(argument, at);
    if (value !== undefined) return assembler.setArgument(position, value);
    const { result } = argument as { result: string };
    const offset = at.layout.resultOf.get(result);
    if (offset === undefined) throw new Error(`no call is named "${result}"`);
    assembler.loadArgument(position, base + offset);
  });
  assembler.syscall(syscallNumber(call.call, at.machine));
  assembler.storeResult(base + (STATUS_WORDS + index) * WORD);
  for (const name of call.tolerate ?? []) assembler.jumpIfEqual(-errnoNumber(name), `next ${index}`);
  assembler.jumpIfError(call.onError ?? `fail ${index}`);
  if (call.whenZero !== undefined) assembler.jumpIfEqual(0, call.whenZero);
  if (call.expect !== undefined) {
    assembler.jumpIfEqual(call.expect, call.onSuccess ?? `next ${index}`);
    assembler.jump(`fail ${index}`);
  } else if (call.onSuccess !== undefined) assembler.jump(call.onSuccess);
  assembler.label(`next ${index}`);
}

function assembleFailure(assembler: Assembler, mode: FailureMode, machine: Machine): void {
  if (typeof mode === "object") return assembler.jump(mode.goto);
  if (mode === "return") return assembler.return();
  if (mode === "exit") {
    assembler.setArgument(0, PROGRAM_FAILED);
    assembler.syscall(syscallNumber("exit_group", machine));
  }
  assembler.trap();
}

/** Assembles a program whose data lie at `base`. Pure: the same program gives the same bytes. */
export function assemble(program: SyscallProgram, { base, machine }: { base: number; machine: Machine }): Uint8Array {
  return assembleWith(program, { base, machine, layout: layOut(program) });
}

function assembleWith(program: SyscallProgram, at: { base: number; machine: Machine; layout: Layout }): Uint8Array {
  const { base, machine } = at;
  const assembler = machine === "x64" ? new X64Assembler() : new Arm64Assembler();
  const failures: { index: number; mode: FailureMode }[] = [];
  let mode: FailureMode = "return";
  let index = 0;
  for (const item of program.items) {
    if (isCall(item)) {
      failures.push({ index, mode });
      assembleCall(assembler, item, { ...at, index: index++ });
    } else if ("label" in item) assembler.label(item.label);
    else if ("jump" in item) assembler.jump(item.jump);
    else if ("finish" in item) assembler.return();
    else mode = item.onFailure;
  }
  assembler.return();
  for (const failure of failures) { // out of the way of what succeeds
    assembler.label(`fail ${failure.index}`);
    assembler.storeConstant(base, failure.index + 1);
    assembler.storeResult(base + WORD);
    assembleFailure(assembler, failure.mode, machine);
  }
  return assembler.finish();
}

/** The call that failed, with its result: -errno, or what it returned instead of what was expected. */
export interface ProgramFailure {
  readonly call: Call;
  readonly result: number;
}

/** A program in memory, ready to run. The memory is given back by `using`; a child must be done with it before. */
export class NativeProgram implements Disposable {
  readonly #layout: Layout;
  readonly #base: number;
  readonly #size: number;
  readonly #codeAt: number;
  readonly #data: DataView;

  constructor(program: SyscallProgram) {
    this.#layout = layOut(program);
    const errnos = this.#layout.calls.reduce((sum, call) => sum + (call.tolerate?.length ?? 0), 0);
    this.#codeAt = (this.#layout.size + PAGE - 1) & ~(PAGE - 1);
    this.#size = this.#codeAt + ((program.items.length * CODE_PER_ITEM + errnos * CODE_PER_ERRNO + PAGE) & ~(PAGE - 1));
    const flags = MAP_SHARED | MAP_ANONYMOUS;
    const doing = { operation: "map memory for", subject: "a system call program" };
    this.#base = check(syscall("mmap", 0, this.#size, PROT_READ | PROT_WRITE, flags, -1, 0), doing);
    const memory = viewMemory(this.#base, this.#size);
    this.#data = new DataView(memory.buffer, 0, this.#codeAt);
    this.#writeConstants(memory);
    memory.set(assembleWith(program, { base: this.#base, machine: MACHINE, layout: this.#layout }), this.#codeAt);
    const code = this.#base + this.#codeAt;
    check(syscall("mprotect", code, this.#size - this.#codeAt, PROT_READ | PROT_EXEC), {
      operation: "make executable",
      subject: "a system call program",
    });
  }

  #writeConstants(memory: Uint8Array): void {
    for (const { offset, bytes } of this.#layout.constants) {
      if (bytes instanceof Uint8Array) {
        memory.set(bytes, offset);
        continue;
      }
      bytes.forEach((word, index) => {
        const value = known(word, { layout: this.#layout, base: this.#base });
        if (value === undefined) throw new Error("a result cannot be a word of a constant");
        this.#data.setBigInt64(offset + index * WORD, BigInt.asIntN(64, BigInt(value)), true);
      });
    }
  }

  /** Runs the program in this process and returns the last result. What failed is told by {@link failure}. */
  run(): number {
    return callNative(this.#base + this.#codeAt);
  }

  /** The failure, if a call of the program (here, or in the child that runs it) has failed. */
  failure(): ProgramFailure | undefined {
    const index = Number(this.#data.getBigUint64(0, true));
    if (index === 0) return undefined;
    return { call: this.#layout.calls[index - 1] as Call, result: Number(this.#data.getBigInt64(WORD, true)) };
  }

  /** Throws the {@link KernelError} of the failure, if there is one. */
  throwFailure(): void {
    const failure = this.failure();
    if (failure) throw failureError(failure);
  }

  /** The result of the call named `name`; 0 as long as it has not been made. */
  result(name: string): number {
    return Number(this.#data.getBigInt64(this.#layout.resultOf.get(name) as number, true));
  }

  /** The scratch memory named `name`; not to be used after disposal. */
  buffer(name: string): Uint8Array {
    const { offset, size } = this.#layout.bufferAt.get(name) as { offset: number; size: number };
    return new Uint8Array(this.#data.buffer, offset, size);
  }

  [Symbol.dispose](): void {
    syscall("munmap", this.#base, this.#size);
  }
}

/** The failure as an error: a result that is no errno (an unexpected end of file) counts as EPIPE. */
export function failureError({ call, result }: ProgramFailure): KernelError {
  const errno = result < 0 ? -result : errnoNumber("EPIPE");
  return new KernelError({ operation: call.operation, subject: call.subject, errno });
}
