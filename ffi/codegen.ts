/** SyscallProgram → machine code: the calls with what their outcomes lead to, then a tail per failure mode. */
import { Arm64Assembler } from "./assemble_arm64.ts";
import { X64Assembler } from "./assemble_x64.ts";
import { type Assembler, CodeWords, type Label } from "./assembler.ts";
import { errnoNumber } from "./errno.ts";
import { ABORT_TEXT, type Layout, layOut, reportLength, STATUS_WORDS, WORD, writeConstants } from "./layout.ts";
import { type Argument, type Call, type FailureMode, isCall, type SyscallProgram } from "./program.ts";
import { type Machine, syscallNumber } from "./syscalls.ts";

/** Exit status of a child whose program failed; what failed is in the status words. */
export const PROGRAM_FAILED = 125;

/** Writes the code of one program, for a mapping that lies at `base`. */
export class Codegen {
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
        if (place === undefined) assembler.loadArgument(index, this.#base + this.#resultOffset(argument));
        else if ("param" in argument) assembler.loadArgument(index, this.#base + place);
        else assembler.setArgument(index, this.#base + place);
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

  #resultOffset(argument: Argument & object): number {
    const { result } = argument as { readonly result: string }; // all others have a place
    const offset = this.#layout.results[result];
    if (offset === undefined) throw new Error(`no call is named "${result}"`);
    return offset;
  }
}

/** The code of a program whose mapping lies at `base`. Pure: the same program gives the same bytes. */
export function assemble(program: SyscallProgram, { base, machine }: { base: number; machine: Machine }): Uint8Array {
  const layout = layOut(program, machine);
  const code = new CodeWords(new Uint32Array((layout.size - layout.codeAt) / 4));
  new Codegen(code, { layout, base, machine }).write(program);
  return new Uint8Array(code.words.buffer, 0, code.at * 4);
}

/** A program as the bytes of a mapping at `base`: its data, and its code from {@link Places.codeAt} on. Pure. */
export function assembleMapping(
  program: SyscallProgram,
  { base, machine }: { base: number; machine: Machine },
): { bytes: Uint8Array<ArrayBuffer>; layout: Layout; codeEnd: number } {
  const layout = layOut(program, machine);
  const bytes = new Uint8Array(layout.size);
  writeConstants(bytes, layout, base);
  const code = new CodeWords(new Uint32Array(bytes.buffer, layout.codeAt));
  new Codegen(code, { layout, base, machine }).write(program);
  return { bytes, layout, codeEnd: layout.codeAt + code.at * 4 };
}
