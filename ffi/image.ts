/**
 * A program that was assembled when skdocker was built, for a mapping at an address that was agreed on then.
 *
 * To assemble a container's program costs a start more than to run it: hundreds of objects are made, and the code that
 * does it runs cold. What all plain starts have in common is the same every time, so it is done once. What differs is
 * told as parameters and in buffers.
 */
import { assembleMapping } from "./codegen.ts";
import { type Places, WORD } from "./layout.ts";
import { type Call, isCall, type SyscallProgram } from "./program.ts";
import type { Machine, SyscallName } from "./syscalls.ts";

/** What of a call its failure tells. */
export interface CallNote {
  /** The system call's name; undefined where it is not known. */
  readonly call?: SyscallName;
  readonly as?: string;
  readonly operation: string;
  readonly subject: string;
  /** The name of the result that the call was at work on, its first argument. */
  readonly on?: string;
}

/** What is to be told of a program's calls, in their order. */
export function notesOf(program: SyscallProgram): CallNote[] {
  return program.items.filter(isCall).map(noteOf);
}

/** What is to be told of one call. */
export function noteOf({ call, as, operation, subject, args: [first] }: Call): CallNote {
  const on = typeof first === "object" && "result" in first ? { on: first.result } : {};
  return { call, ...(as === undefined ? {} : { as }), operation, subject, ...on };
}

/** A program ready to be mapped. */
export interface ProgramImage extends Places {
  /** Where it must lie. */
  readonly base: number;
  /** The constants, from the first that is not zero on, and the code, each in base64, with the offset they belong at. */
  readonly parts: readonly (readonly [offset: number, base64: string])[];
}

/** Assembles a program for later. Pure: the same program gives the same image. */
export function makeImage(
  program: SyscallProgram,
  { base, machine }: { base: number; machine: Machine },
): ProgramImage {
  const { bytes, layout, codeEnd } = assembleMapping(program, { base, machine });
  const constants = nonZero(bytes.subarray(0, layout.codeAt));
  const parts = [constants, [layout.codeAt, codeEnd] as const].map(([from, to]) => {
    return [from, bytes.subarray(from, to).toBase64()] as const;
  });
  const { results, params, buffers, codeAt, size } = layout;
  return { base, parts, results, params, buffers, codeAt, size };
}

/** The smallest range, in whole words, outside which all bytes are zero. */
function nonZero(bytes: Uint8Array): readonly [from: number, to: number] {
  const first = bytes.findIndex((byte) => byte !== 0);
  if (first === -1) return [0, 0];
  const last = bytes.findLastIndex((byte) => byte !== 0);
  return [first - first % WORD, last + 1];
}
