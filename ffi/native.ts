/**
 * SyscallProgram → memory and machine code → run.
 *
 * One mapping per program: data first (status words, results, scratch buffers, constants), code behind it on
 * pages of its own, written first and then made executable and no longer writable. The mapping is MAP_SHARED,
 * so the status words reach the parent from a child that does not share its memory, too.
 */
import { Arm64Assembler } from "./assemble_arm64.ts";
import { X64Assembler } from "./assemble_x64.ts";
import { type Assembler, CodeWords, type Label, lowerHalf, upperHalf } from "./assembler.ts";
import { errnoNumber, KernelError } from "./errno.ts";
import { callNative, check, MACHINE, MAP_ANONYMOUS, MAP_SHARED, syscall, viewMemory } from "./libc.ts";
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
/** Bytes of code that one item can take at most, apart from tolerated errnos (see the assemblers). */
const CODE_PER_ITEM = 240;
const CODE_PER_ERRNO = 24;
/** A change of failure mode adds one more tail. */
const CODE_PER_TAIL = 128;

/**
 * What a process that ends by "abort" leaves on its standard error. It ends by exit_group, not by a fatal signal:
 * the engine answers SIGILL, SIGTRAP and SIGABRT with a crash report, and that is engine code in the very place
 * where none may run.
 */
const ABORT_TEXT = "skdocker: a system call that must not fail has failed; the process ends\n";

/** Exit status of a child whose program failed; what failed is in the status words. */
export const PROGRAM_FAILED = 125;

/** Where a program's data and code lie, as offsets from the start of its mapping. */
interface Layout {
  readonly calls: readonly Call[];
  /** The number of the call with a name, counted from 0. */
  readonly callOf: ReadonlyMap<string, number>;
  readonly bufferAt: ReadonlyMap<string, { readonly offset: number; readonly size: number }>;
  readonly placeOf: ReadonlyMap<Argument, number>;
  /** Where ABORT_TEXT lies; 0 where no call aborts. */
  readonly abortTextAt: number;
  readonly codeAt: number;
  readonly size: number;
}

interface Places {
  readonly placeOf: Map<Argument, number>;
  readonly bufferAt: ReadonlyMap<string, { readonly offset: number; readonly size: number }>;
}

/** Hands out offsets; 16 is the alignment of a stack, and of anything the kernel reads. */
class Space {
  size: number;

  constructor(size: number) {
    this.size = size;
  }

  take(bytes: number): number {
    const offset = (this.size + 15) & ~15;
    this.size = offset + bytes;
    return offset;
  }
}

function layOut(program: SyscallProgram): Layout {
  const calls: Call[] = [];
  const callOf = new Map<string, number>();
  let code = PAGE;
  let aborts = false;
  for (const item of program.items) {
    code += CODE_PER_ITEM;
    if (!isCall(item)) {
      if ("onFailure" in item) {
        code += CODE_PER_TAIL;
        aborts ||= item.onFailure === "abort";
      }
      continue;
    }
    if (item.as !== undefined) {
      if (callOf.has(item.as)) throw new Error(`two calls are named "${item.as}"`);
      callOf.set(item.as, calls.length);
    }
    if (item.tolerate !== undefined) code += item.tolerate.length * CODE_PER_ERRNO;
    calls.push(item);
  }
  const space = new Space((STATUS_WORDS + calls.length) * WORD);
  const bufferAt = new Map<string, { offset: number; size: number }>();
  for (const name in program.buffers) {
    const size = ((program.buffers[name] as number) + 15) & ~15;
    bufferAt.set(name, { offset: space.take(size), size });
  }
  const placeOf = new Map<Argument, number>();
  for (const call of calls) {
    for (const argument of call.args) {
      if (typeof argument === "object") place(argument, space, { placeOf, bufferAt });
    }
  }
  const abortTextAt = aborts ? space.take(ABORT_TEXT.length) : 0;
  const codeAt = (space.size + PAGE - 1) & ~(PAGE - 1);
  const size = codeAt + ((code + PAGE - 1) & ~(PAGE - 1));
  return { calls, callOf, bufferAt, placeOf, abortTextAt, codeAt, size };
}

/** An argument that is not a number, for looking at whichever property it has. */
type Described = Partial<Record<"text" | "result" | "buffer" | "end", string>> & {
  readonly bytes?: Uint8Array;
  readonly words?: readonly Argument[];
};

/** Gives everything whose address a call takes its place. Results are found by name when the code is written. */
function place(argument: Argument & object, space: Space, { placeOf, bufferAt }: Places): void {
  if (placeOf.has(argument)) return;
  const { text, bytes, words, buffer, end }: Described = argument;
  // A character of UTF-16 takes at most three bytes of UTF-8 (RFC 3629).
  if (text !== undefined) placeOf.set(argument, space.take(text.length * 3 + 1));
  else if (bytes !== undefined) placeOf.set(argument, space.take(bytes.length));
  else if (words !== undefined) {
    for (const word of words) if (typeof word === "object") place(word, space, { placeOf, bufferAt });
    placeOf.set(argument, space.take(words.length * WORD));
  } else if (buffer !== undefined || end !== undefined) {
    const found = bufferAt.get(buffer ?? end as string);
    if (!found) throw new Error(`buffer "${buffer ?? end}" is not declared`);
    placeOf.set(argument, buffer !== undefined ? found.offset : found.offset + found.size);
  }
}

const encoder = new TextEncoder();

function writeConstants(memory: Uint8Array<ArrayBuffer>, layout: Layout, base: number): void {
  const words = new Int32Array(memory.buffer, 0, layout.codeAt >> 2);
  if (layout.abortTextAt !== 0) encoder.encodeInto(ABORT_TEXT, memory.subarray(layout.abortTextAt));
  for (const [argument, offset] of layout.placeOf) {
    const { text, bytes, words: values }: Described = argument as object;
    if (text !== undefined) {
      if (text.includes("\0")) throw new RangeError(`${JSON.stringify(text)} contains a NUL character`);
      encoder.encodeInto(text, memory.subarray(offset)); // new memory is zero: so is the NUL at its end
    } else if (bytes !== undefined) memory.set(bytes, offset);
    else if (values !== undefined) {
      let at = offset >> 2;
      for (const value of values) {
        const word = typeof value === "object" ? base + placeIn(layout, value) : value;
        words[at++] = lowerHalf(word);
        words[at++] = upperHalf(word);
      }
    }
  }
}

function placeIn(layout: Layout, argument: Argument & object): number {
  const place = layout.placeOf.get(argument);
  if (place === undefined) throw new Error("a result cannot be a word of a constant");
  return place;
}

/** Writes the code of one program: the calls with what their outcomes lead to, then a tail per failure mode. */
class Codegen {
  readonly #assembler: Assembler;
  readonly #code: CodeWords;
  readonly #layout: Layout;
  readonly #base: number;
  readonly #machine: Machine;
  readonly #labels = new Map<string, Label>();
  readonly #tails: { readonly label: Label; readonly mode: FailureMode }[] = [];

  constructor(code: CodeWords, { layout, base, machine }: { layout: Layout; base: number; machine: Machine }) {
    this.#code = code;
    this.#layout = layout;
    this.#base = base;
    this.#machine = machine;
    this.#assembler = machine === "x64" ? new X64Assembler(code) : new Arm64Assembler(code);
  }

  write(program: SyscallProgram): void {
    const assembler = this.#assembler;
    assembler.enter();
    let fail = this.#newTail("return");
    let step = 0;
    for (const item of program.items) {
      if (isCall(item)) this.#call(item, ++step, fail);
      else if ("label" in item) this.#code.place(this.#labelOf(item.label));
      else if ("jump" in item) assembler.jump(this.#labelOf(item.jump));
      else if ("finish" in item) assembler.return();
      else fail = this.#newTail(item.onFailure);
    }
    assembler.return();
    for (const { label, mode } of this.#tails) this.#tail(label, mode);
    assembler.finish();
  }

  #call(call: Call, step: number, fail: Label): void {
    const assembler = this.#assembler;
    const { args } = call;
    const { placeOf } = this.#layout;
    for (let index = 0; index < args.length; index++) {
      const argument = args[index] as Argument;
      if (typeof argument !== "object") assembler.setArgument(index, argument);
      else {
        const place = placeOf.get(argument);
        if (place !== undefined) assembler.setArgument(index, this.#base + place);
        else assembler.loadArgument(index, this.#base + this.#resultOffset((argument as { result: string }).result));
      }
    }
    assembler.syscall(syscallNumber(call.call, this.#machine), step);
    // Before the result is stored: parent and child of a clone share the word, and the child's 0 could come last.
    if (call.whenZero !== undefined) assembler.jumpIfEqual(0, this.#labelOf(call.whenZero));
    if (call.as !== undefined) assembler.storeResult(this.#base + (STATUS_WORDS + step - 1) * WORD);
    this.#outcome(call, fail);
  }

  #outcome(call: Call, fail: Label): void {
    const assembler = this.#assembler;
    let next: Label | undefined;
    if (call.tolerate !== undefined) {
      next = this.#code.newLabel();
      for (const name of call.tolerate) assembler.jumpIfEqual(-errnoNumber(name), next);
    }
    assembler.jumpIfError(call.onError === undefined ? fail : this.#labelOf(call.onError));
    if (call.expect !== undefined) {
      next ??= this.#code.newLabel();
      assembler.jumpIfEqual(call.expect, call.onSuccess === undefined ? next : this.#labelOf(call.onSuccess));
      assembler.jump(fail);
    } else if (call.onSuccess !== undefined) assembler.jump(this.#labelOf(call.onSuccess));
    if (next !== undefined) this.#code.place(next);
  }

  #tail(label: Label, mode: FailureMode): void {
    const assembler = this.#assembler;
    this.#code.place(label);
    assembler.storeFailure(this.#base);
    if (mode === "return") return assembler.return();
    if (mode === "abort") this.#writeTo(2, { offset: this.#layout.abortTextAt, length: ABORT_TEXT.length });
    else if (mode !== "exit") {
      if ("goto" in mode) return assembler.jump(this.#labelOf(mode.goto));
      this.#writeTo(mode.report, { offset: 0, length: reportLength(this.#layout) });
    }
    assembler.setArgument(0, PROGRAM_FAILED);
    assembler.syscall(syscallNumber("exit_group", this.#machine), 0);
    assembler.trap();
  }

  #writeTo(fd: number, { offset, length }: { offset: number; length: number }): void {
    this.#assembler.setArgument(0, fd);
    this.#assembler.setArgument(1, this.#base + offset);
    this.#assembler.setArgument(2, length);
    this.#assembler.syscall(syscallNumber("write", this.#machine), 0);
  }

  #newTail(mode: FailureMode): Label {
    const label = this.#code.newLabel();
    this.#tails.push({ label, mode });
    return label;
  }

  #labelOf(name: string): Label {
    let label = this.#labels.get(name);
    if (label === undefined) {
      label = this.#code.newLabel();
      this.#labels.set(name, label);
    }
    return label;
  }

  #resultOffset(name: string): number {
    const call = this.#layout.callOf.get(name);
    if (call === undefined) throw new Error(`no call is named "${name}"`);
    return (STATUS_WORDS + call) * WORD;
  }
}

/** Assembles a program whose data lie at `base`. Pure: the same program gives the same bytes. */
export function assemble(program: SyscallProgram, { base, machine }: { base: number; machine: Machine }): Uint8Array {
  const layout = layOut(program);
  const code = new CodeWords(new Uint32Array((layout.size - layout.codeAt) / 4));
  new Codegen(code, { layout, base, machine }).write(program);
  return new Uint8Array(code.words.buffer, 0, code.at * 4);
}

/** Status words and results, which lie at the start of a program's data. */
function reportLength({ calls }: Layout): number {
  return (STATUS_WORDS + calls.length) * WORD;
}

/** What became of a program, wherever it ran. */
export interface Outcome {
  /** The failure, if a call of the program has failed. */
  failure(): ProgramFailure | undefined;
  /** The result of the call named `name`; 0 as long as it has not been made, or has jumped by `whenZero`. */
  result(name: string): number;
}

/** A program as the bytes of a mapping at `base`: data, and code from `codeAt` on. */
export interface ProgramImage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly codeAt: number;
  /** Reads what a process that stands on this image has written by the failure mode "report". */
  outcome(report: Uint8Array): Outcome;
}

/** Assembles a program for another process. Pure, but for whoever watches programs. */
export function programImage(
  program: SyscallProgram,
  { base, machine }: { base: number; machine: Machine },
): ProgramImage {
  if (observer) observer(program);
  const layout = layOut(program);
  const bytes = new Uint8Array(layout.size);
  writeConstants(bytes, layout, base);
  new Codegen(new CodeWords(new Uint32Array(bytes.buffer, layout.codeAt)), { layout, base, machine }).write(program);
  return { bytes, codeAt: layout.codeAt, outcome: (report) => readOutcome(report, layout) };
}

function readOutcome(report: Uint8Array, layout: Layout): Outcome {
  const data = new DataView(new ArrayBuffer(reportLength(layout)));
  new Uint8Array(data.buffer).set(report.subarray(0, data.byteLength));
  return { failure: () => failureIn(data, layout), result: (name) => resultIn(data, layout, name) };
}

function failureIn(data: DataView, { calls }: Layout): ProgramFailure | undefined {
  const step = Number(data.getBigUint64(0, true));
  if (step === 0) return undefined;
  return { call: calls[step - 1] as Call, result: Number(data.getBigInt64(WORD, true)) };
}

function resultIn(data: DataView, { callOf }: Layout, name: string): number {
  const call = callOf.get(name);
  if (call === undefined) throw new Error(`no call is named "${name}"`);
  return Number(data.getBigInt64((STATUS_WORDS + call) * WORD, true));
}

/** The call that failed, with its result: -errno, or what it returned instead of what was expected. */
export interface ProgramFailure {
  readonly call: Call;
  readonly result: number;
}

let observer: ((program: SyscallProgram) => void) | undefined;

/** Lets `observe` see every program from here on, before it is assembled (`SKDOCKER_TRACE=mount,syscall`). */
export function observePrograms(observe: (program: SyscallProgram) => void): void {
  observer = observe;
}

/** A program in memory, ready to run. The memory is given back by `using`; a child must be done with it before. */
export class NativeProgram implements Disposable, Outcome {
  readonly #layout: Layout;
  readonly #base: number;
  readonly #data: DataView;

  constructor(program: SyscallProgram) {
    if (observer) observer(program);
    const layout = this.#layout = layOut(program);
    const doing = { operation: "map memory for", subject: "a system call program" };
    const flags = MAP_SHARED | MAP_ANONYMOUS;
    const base = this.#base = check(syscall("mmap", 0, layout.size, PROT_READ | PROT_WRITE, flags, -1, 0), doing);
    const memory = viewMemory(base, layout.size);
    this.#data = new DataView(memory.buffer);
    writeConstants(memory, layout, base);
    const code = new CodeWords(new Uint32Array(memory.buffer, layout.codeAt));
    new Codegen(code, { layout, base, machine: MACHINE }).write(program);
    check(syscall("mprotect", base + layout.codeAt, layout.size - layout.codeAt, PROT_READ | PROT_EXEC), {
      operation: "make executable",
      subject: "a system call program",
    });
  }

  /** Runs the program in this process and returns the last result. What failed is told by {@link failure}. */
  run(): number {
    return callNative(this.#base + this.#layout.codeAt);
  }

  /** The failure, if a call of the program (here, or in the child that runs it) has failed. */
  failure(): ProgramFailure | undefined {
    return failureIn(this.#data, this.#layout);
  }

  /** Throws the {@link KernelError} of the failure, if there is one. */
  throwFailure(): void {
    const failure = this.failure();
    if (failure) throw failureError(failure);
  }

  /** The result of the call named `name`; 0 as long as it has not been made, or has jumped by `whenZero`. */
  result(name: string): number {
    return resultIn(this.#data, this.#layout, name);
  }

  /** The scratch memory named `name`; not to be used after disposal. */
  buffer(name: string): Uint8Array {
    const found = this.#layout.bufferAt.get(name);
    if (!found) throw new Error(`buffer "${name}" is not declared`);
    return new Uint8Array(this.#data.buffer, found.offset, found.size);
  }

  [Symbol.dispose](): void {
    syscall("munmap", this.#base, this.#layout.size);
  }
}

/** The failure as an error: a result that is no errno (an unexpected end of file) counts as EPIPE. */
export function failureError({ call, result }: ProgramFailure): KernelError {
  const errno = result < 0 ? -result : errnoNumber("EPIPE");
  return new KernelError({ operation: call.operation, subject: call.subject, errno });
}
