/**
 * Where everything of a program lies in its mapping: data first (status words, results, parameters, scratch buffers,
 * constants), code behind it on pages of its own. Pure: the same program has the same layout.
 */
import { lowerHalf, upperHalf } from "./assembler.ts";
import { type Argument, type Call, isCall, type SyscallProgram } from "./program.ts";
import type { Machine } from "./syscalls.ts";

/** The largest page that a kernel of the machine can have (arm64: 4, 16 or 64 KiB), for memory that is protected by pages. */
export const LARGEST_PAGE: Readonly<Record<Machine, number>> = { x64: 4096, arm64: 65536 };
export const WORD = 8;
/** The status words: 1 + the index of the failed call among the calls, and its result. */
export const STATUS_WORDS = 2;
/** Bytes of code that one item can take at most, apart from tolerated errnos (see the assemblers). */
const CODE_PER_ITEM = 240;
const CODE_PER_ERRNO = 24;
/** What stands before and behind the items. */
const CODE_AROUND = 4096;
/** A change of failure mode adds one more tail. */
const CODE_PER_TAIL = 128;

/**
 * What a process that ends by "abort" leaves on its standard error. It ends by exit_group, not by a fatal signal:
 * the engine answers SIGILL, SIGTRAP and SIGABRT with a crash report, and that is engine code in the very place
 * where none may run.
 */
export const ABORT_TEXT = "skdocker: a system call that must not fail has failed; the process ends\n";

/** The places that have names, as offsets from the start of the mapping, and how long it is. */
export interface Places {
  readonly results: Readonly<Record<string, number>>;
  /** A parameter has a place wherever it is a word of a constant, and one for all calls that have it as argument. */
  readonly params: Readonly<Record<string, readonly number[]>>;
  readonly buffers: Readonly<Record<string, readonly [offset: number, size: number]>>;
  readonly codeAt: number;
  readonly size: number;
}

/** {@link Places} with what only the assembling needs. */
export interface Layout extends Places {
  readonly calls: readonly Call[];
  readonly placeOf: ReadonlyMap<Argument, number>;
  /** Where ABORT_TEXT lies; 0 where no call aborts. */
  readonly abortTextAt: number;
}

/** Bytes of the status words and the results, which lie at the start of a program's data. */
export function reportLength({ calls }: Layout): number {
  return (STATUS_WORDS + calls.length) * WORD;
}

/** The places while they are being given. */
interface Giving {
  readonly space: Space;
  readonly placeOf: Map<Argument, number>;
  readonly buffers: Places["buffers"];
  readonly params: Record<string, number[]>;
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

/** Gives everything its place. Throws for names that are not there, or there twice. */
export function layOut(program: SyscallProgram, machine: Machine): Layout {
  const page = LARGEST_PAGE[machine];
  const calls: Call[] = [];
  const results: Record<string, number> = {};
  let code = CODE_AROUND;
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
      if (results[item.as] !== undefined) throw new Error(`two calls are named "${item.as}"`);
      results[item.as] = (STATUS_WORDS + calls.length) * WORD;
    }
    if (item.tolerate !== undefined) code += item.tolerate.length * CODE_PER_ERRNO;
    calls.push(item);
  }
  const space = new Space((STATUS_WORDS + calls.length) * WORD);
  const buffers: Record<string, [number, number]> = {};
  for (const name in program.buffers) {
    const size = ((program.buffers[name] as number) + 15) & ~15;
    buffers[name] = [space.take(size), size];
  }
  const giving: Giving = { space, placeOf: new Map(), buffers, params: {} };
  for (const call of calls) {
    for (const argument of call.args) if (typeof argument === "object") place(argument, giving);
  }
  const abortTextAt = aborts ? space.take(ABORT_TEXT.length) : 0;
  const codeAt = (space.size + page - 1) & ~(page - 1);
  const size = codeAt + ((code + page - 1) & ~(page - 1));
  return { calls, results, params: giving.params, buffers, placeOf: giving.placeOf, abortTextAt, codeAt, size };
}

/** An argument that is not a number, for looking at whichever property it has. */
type Described = Partial<Record<"text" | "result" | "buffer" | "end" | "param", string>> & {
  readonly bytes?: Uint8Array;
  readonly words?: readonly Argument[];
};

/** Gives everything whose address a call takes its place. Results are found by name when the code is written. */
function place(argument: Argument & object, giving: Giving): void {
  const { space, placeOf, buffers } = giving;
  if (placeOf.has(argument)) return;
  const { text, bytes, words, buffer, end, param }: Described = argument;
  // A character of UTF-16 takes at most three bytes of UTF-8 (RFC 3629).
  if (text !== undefined) placeOf.set(argument, space.take(text.length * 3 + 1));
  else if (bytes !== undefined) placeOf.set(argument, space.take(bytes.length));
  else if (words !== undefined) placeWords(argument, { words, giving });
  else if (param !== undefined) placeOf.set(argument, ownPlace(param, giving));
  else if (buffer !== undefined || end !== undefined) {
    const found = buffers[buffer ?? end as string];
    if (!found) throw new Error(`buffer "${buffer ?? end}" is not declared`);
    placeOf.set(argument, buffer !== undefined ? found[0] : found[0] + found[1]);
  }
}

function placeWords(
  argument: Argument & object,
  { words, giving }: { words: readonly Argument[]; giving: Giving },
): void {
  for (const word of words) if (typeof word === "object" && !("param" in word)) place(word, giving);
  const offset = giving.space.take(words.length * WORD);
  giving.placeOf.set(argument, offset);
  words.forEach((word, index) => {
    if (typeof word === "object" && "param" in word) (giving.params[word.param] ??= []).push(offset + index * WORD);
  });
}

/** The word that all calls load a parameter from: the same for all, whichever object names it. */
function ownPlace(param: string, { space, params, placeOf }: Giving): number {
  for (const [other, offset] of placeOf) if ((other as Described).param === param) return offset;
  const offset = space.take(WORD);
  (params[param] ??= []).push(offset);
  return offset;
}

const encoder = new TextEncoder();

/** Writes the constants of a program into its memory, which is still zero and will lie at `base` when it runs. */
export function writeConstants(memory: Uint8Array<ArrayBuffer>, layout: Layout, base: number): void {
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
        const word = typeof value === "object" ? addressIn(layout, value, base) : value;
        words[at++] = lowerHalf(word);
        words[at++] = upperHalf(word);
      }
    }
  }
}

function addressIn(layout: Layout, value: Argument & object, base: number): number {
  if ("param" in value) return 0; // to be told
  const place = layout.placeOf.get(value);
  if (place === undefined) throw new Error("a result cannot be a word of a constant");
  return base + place;
}
