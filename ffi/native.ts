/**
 * A program in memory: mapped, run, and asked what became of it.
 *
 * One mapping per program, written first, its code then made executable and no longer writable. It is MAP_SHARED,
 * so the status words reach the parent from a child that does not share its memory, too.
 */
import { CodeWords } from "./assembler.ts";
import { Codegen } from "./codegen.ts";
import { errnoNumber, KernelError } from "./errno.ts";
import { type CallNote, noteOf, type ProgramImage } from "./image.ts";
import { type Layout, layOut, type Places, reportLength, WORD, writeConstants } from "./layout.ts";
import { callNative, check, MACHINE, MAP_ANONYMOUS, MAP_SHARED, syscall, viewMemory } from "./libc.ts";
import type { Call, SyscallProgram } from "./program.ts";

// include/uapi/asm-generic/mman-common.h
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_FIXED_NOREPLACE = 0x100000;

/** The call that failed, with its result: -errno, or what it returned instead of what was expected. */
export interface ProgramFailure {
  /** The index of the call among the program's calls. */
  readonly index: number;
  readonly call: CallNote;
  readonly result: number;
}

/** What became of a program, wherever it ran. */
export interface Outcome {
  /** The failure, if a call of the program has failed. */
  failure(): ProgramFailure | undefined;
  /** The result of the call named `name`; 0 as long as it has not been made, or has jumped by `whenZero`. */
  result(name: string): number;
}

let observer: ((program: SyscallProgram) => void) | undefined;

/** Lets `observe` see every program from here on, before it is assembled (`SKDOCKER_TRACE=mount,syscall`). */
export function observePrograms(observe: (program: SyscallProgram) => void): void {
  observer = observe;
}

/** Whether somebody watches: then programs must be assembled before their eyes. */
export function programsAreObserved(): boolean {
  return observer !== undefined || rewriter !== undefined;
}

/** Test builds: makes another of a program; `whose`: it is run by this process, or by one that executes it. */
type ProgramRewriter = (program: SyscallProgram, whose: "ours" | "theirs") => SyscallProgram;

let rewriter: ProgramRewriter | undefined;

/** Test builds (SKDOCKER_FAULTS): lets `rewrite` put another in the place of every program from here on. */
export function rewritePrograms(rewrite: ProgramRewriter): void {
  rewriter = rewrite;
}

function rewritten(program: SyscallProgram, whose: "ours" | "theirs"): SyscallProgram {
  if (typeof SKDOCKER_FAULTS !== "undefined" && SKDOCKER_FAULTS) return rewriter?.(program, whose) ?? program;
  return program;
}

/** Where a program was mapped, and what it consists of. */
interface Mapped {
  readonly base: number;
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly places: Places;
  /** Empty for an image, whose notes are kept apart. */
  readonly calls: readonly Call[];
}

/** What is said of a call whose note is kept apart. */
const UNKNOWN: CallNote = { operation: "run", subject: "a system call program" };

/** A program in memory, ready to run. The memory is given back by `using`; a child must be done with it before. */
export class NativeProgram implements Disposable, Outcome {
  readonly #mapped: Mapped;
  readonly #data: DataView;
  #disposed = false;

  /** Assembles `program`; or takes what {@link mapImage} has mapped. */
  constructor(program: SyscallProgram | Mapped) {
    const mapped = this.#mapped = "items" in program ? assembleHere(program) : program;
    this.#data = new DataView(mapped.memory.buffer);
  }

  /** Runs the program in this process and returns the last result. What failed is told by {@link failure}. */
  run(): number {
    return callNative(this.#mapped.base + this.#mapped.places.codeAt);
  }

  /** The failure, if a call of the program (here, or in the child that runs it) has failed. */
  failure(): ProgramFailure | undefined {
    return failureIn(this.#data, this.#mapped.calls);
  }

  /** Throws the {@link KernelError} of the failure, if there is one. */
  throwFailure(): void {
    const failure = this.failure();
    if (failure) throw failureError(failure);
  }

  /** The result of the call named `name`; 0 as long as it has not been made, or has jumped by `whenZero`. */
  result(name: string): number {
    return resultIn(this.#data, this.#mapped.places, name);
  }

  /** The scratch memory named `name`; not to be used after disposal. */
  buffer(name: string): Uint8Array {
    const found = this.#mapped.places.buffers[name];
    if (!found) throw new Error(`buffer "${name}" is not declared`);
    return new Uint8Array(this.#data.buffer, found[0], found[1]);
  }

  /** The address that a program sees {@link buffer} at. */
  bufferAddress(name: string): number {
    const found = this.#mapped.places.buffers[name];
    if (!found) throw new Error(`buffer "${name}" is not declared`);
    return this.#mapped.base + found[0];
  }

  /** Tells a parameter: an integer of at most 53 bits and a sign. */
  set(name: string, value: number): void {
    const offsets = this.#mapped.places.params[name];
    if (!offsets) throw new Error(`no parameter is named "${name}"`);
    if (!Number.isSafeInteger(value)) throw new RangeError(`parameter "${name}" cannot be ${value}`);
    for (const offset of offsets) this.#data.setBigInt64(offset, BigInt(value), true);
  }

  /** Puts a C string into a buffer. Throws a RangeError for a text that is too long for it, or has a NUL. */
  setText(name: string, text: string): void {
    const buffer = this.buffer(name);
    if (text.includes("\0")) throw new RangeError(`${JSON.stringify(text)} contains a NUL character`);
    const { read, written } = encoder.encodeInto(text, buffer);
    if (read < text.length || written >= buffer.length) throw new RangeError(`${text} is too long for "${name}"`);
    buffer[written] = 0;
  }

  /**
   * Puts argv and the like into a buffer, one behind the other, and tells each its parameter: a vector of pointers, then
   * the strings. Throws a RangeError where the buffer is too small or a text has a NUL.
   */
  setVectors(name: string, vectors: Readonly<Record<string, readonly string[]>>): void {
    const bytes = this.buffer(name);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    const address = this.bufferAddress(name);
    let at = 0;
    for (const parameter in vectors) {
      this.set(parameter, address + at);
      const texts = vectors[parameter] as readonly string[];
      let end = at + (texts.length + 1) * WORD;
      for (const text of texts) {
        if (end + text.length * 3 >= bytes.length) throw new RangeError(`too many texts for "${name}"`);
        if (text.includes("\0")) throw new RangeError(`${JSON.stringify(text)} contains a NUL character`);
        words[at >> 2] = (address + end) | 0;
        words[(at >> 2) + 1] = Math.floor((address + end) / 2 ** 32);
        at += WORD;
        end += encoder.encodeInto(text, bytes.subarray(end)).written;
        bytes[end++] = 0;
      }
      words.fill(0, at >> 2, (at >> 2) + 2);
      at = (end + WORD - 1) & -WORD;
    }
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return; // something else may lie there by now
    this.#disposed = true;
    syscall("munmap", this.#mapped.base, this.#mapped.places.size);
  }
}

function failureIn(data: DataView, calls: readonly Call[]): ProgramFailure | undefined {
  const step = Number(data.getBigUint64(0, true));
  if (step === 0) return undefined;
  const call = calls[step - 1];
  return { index: step - 1, call: call ? noteOf(call) : UNKNOWN, result: Number(data.getBigInt64(WORD, true)) };
}

function resultIn(data: DataView, { results }: Places, name: string): number {
  const offset = results[name];
  if (offset === undefined) throw new Error(`no call is named "${name}"`);
  return Number(data.getBigInt64(offset, true));
}

/** Tells a watcher of a program that is assembled for somebody else. Returns what is to be assembled. */
export function showProgram(asked: SyscallProgram): SyscallProgram {
  const program = rewritten(asked, "theirs");
  if (observer) observer(program);
  return program;
}

/** Reads what a process that stands on a program of this layout has written by the failure mode "report". */
export function reportedOutcome(report: Uint8Array, layout: Layout): Outcome {
  const data = new DataView(new ArrayBuffer(reportLength(layout)));
  new Uint8Array(data.buffer).set(report.subarray(0, data.byteLength));
  return { failure: () => failureIn(data, layout.calls), result: (name) => resultIn(data, layout, name) };
}

const encoder = new TextEncoder();
const DOING = { operation: "map memory for", subject: "a system call program" };

function assembleHere(asked: SyscallProgram): Mapped {
  const program = rewritten(asked, "ours");
  if (observer) observer(program);
  const layout = layOut(program, MACHINE);
  const flags = MAP_SHARED | MAP_ANONYMOUS;
  const base = check(syscall("mmap", 0, layout.size, PROT_READ | PROT_WRITE, flags, -1, 0), DOING);
  const memory = viewMemory(base, layout.size);
  writeConstants(memory, layout, base);
  const code = new CodeWords(new Uint32Array(memory.buffer, layout.codeAt));
  new Codegen(code, { layout, base, machine: MACHINE }).write(program);
  makeExecutable(base, layout);
  return { base, memory, places: layout, calls: layout.calls };
}

/**
 * Maps a program that was assembled before; `undefined` where something else lies at its address, which is for the
 * caller to make up for. A failure tells the index of its call alone: the image's notes say the rest.
 */
export function mapImage(image: ProgramImage): NativeProgram | undefined {
  const flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  const base = syscall("mmap", image.base, image.size, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (base === -errnoNumber("EEXIST") || base === -errnoNumber("ENOMEM")) return undefined;
  check(base, DOING);
  const memory = viewMemory(base, image.size);
  for (const [offset, base64] of image.parts) memory.subarray(offset).setFromBase64(base64);
  makeExecutable(base, image);
  return new NativeProgram({ base, memory, places: image, calls: [] });
}

/**
 * Once for each mapping: what is written after this is not executed for certain on arm64, where the kernel makes the
 * instruction cache follow when a page becomes executable for the first time.
 */
function makeExecutable(base: number, { codeAt, size }: Places): void {
  const result = syscall("mprotect", base + codeAt, size - codeAt, PROT_READ | PROT_EXEC);
  check(result, { operation: "make executable", subject: "a system call program" });
}

/** The failure as an error: a result that is no errno (an unexpected end of file) counts as EPIPE. */
export function failureError({ call, result }: ProgramFailure): KernelError {
  const errno = result < 0 ? -result : errnoNumber("EPIPE");
  return new KernelError({ operation: call.operation, subject: call.subject, errno });
}
