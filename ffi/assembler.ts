/**
 * What a program needs of a machine, as a handful of verbs, and the words of code under construction.
 *
 * Code is written as 32-bit words straight into the memory it will run from. Assembling is on the way of every
 * start, before any of this JavaScript has been compiled by the engine, so it has to be few and plain operations:
 * written byte by byte it took 6 ms for a container's program, in words it takes a tenth.
 */

/** A place in the code, from {@link CodeWords.newLabel}. */
export type Label = number;

/** The verbs. Arguments are the kernel's, 0 to 5; the result register keeps the last result. */
export interface Assembler {
  /** Words that any one verb can take at most. */
  readonly code: CodeWords;
  /** Once at the start, where the program is called as a function: saves what the other verbs clobber. */
  enter(): void;
  /** Loads a constant into an argument register. */
  setArgument(index: number, value: number | bigint): void;
  /** Loads the 64-bit word at `address` into an argument register. */
  loadArgument(index: number, address: number): void;
  /** Makes system call `nr`, as the `step`th of the program: what {@link storeFailure} will tell. */
  syscall(nr: number, step: number): void;
  /** Stores the result at `address`. */
  storeResult(address: number): void;
  /** Stores the number of the last step at `address`, and its result in the next word. */
  storeFailure(address: number): void;
  /** Jumps when the result is an error: -4095 to -1. */
  jumpIfError(label: Label): void;
  /** Jumps when the result equals a value of 31 bits and a sign. */
  jumpIfEqual(value: number, label: Label): void;
  jump(label: Label): void;
  /** Undoes {@link enter} and returns the result to the caller. */
  return(): void;
  /** An instruction that kills the process (SIGILL). */
  trap(): void;
  /** Writes the distances into the jumps. Throws where a label was never placed. */
  finish(): void;
}

/** Code as words, the labels in it, and the jumps that are still to learn where their labels are. */
export class CodeWords {
  readonly words: Uint32Array;
  /** The index of the next word. */
  at = 0;
  readonly #placeOf: number[] = [];
  readonly #jumps: { readonly at: number; readonly label: Label }[] = [];

  /** Code is written from the start of `words`, which must be long enough for all of it. */
  constructor(words: Uint32Array) {
    this.words = words;
  }

  newLabel(): Label {
    return this.#placeOf.push(-1) - 1;
  }

  /** The label stands here: what comes next is where its jumps go. */
  place(label: Label): void {
    if (this.#placeOf[label] !== -1) throw new Error("a label was placed twice");
    this.#placeOf[label] = this.at;
  }

  /** The next word is (or holds) the way to `label`. */
  expectJump(label: Label): void {
    this.#jumps.push({ at: this.at, label });
  }

  /** Lets `write` fill in each jump: the index of its word, and the distance from there in words. */
  resolve(write: (at: number, distance: number) => void): void {
    for (const { at, label } of this.#jumps) {
      const place = this.#placeOf[label] as number;
      if (place === -1) throw new Error("a label was used and never placed");
      write(at, place - at);
    }
    if (this.at > this.words.length) throw new Error("the code is longer than its memory");
  }
}

/** The upper half of a 64-bit constant. Throws a RangeError for a fraction or a number of more than 53 bits. */
export function upperHalf(value: number | bigint): number {
  if (typeof value === "bigint") return Number(BigInt.asIntN(32, value >> 32n));
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer of at most 53 bits`);
  return Math.floor(value / 4294967296);
}

/** The lower half. A bigint must fit in 64 bits, with or without sign. */
export function lowerHalf(value: number | bigint): number {
  if (typeof value === "number") return value | 0;
  if (value < -(2n ** 63n) || value >= 2n ** 64n) throw new RangeError(`${value} does not fit in 64 bits`);
  return Number(BigInt.asIntN(32, value));
}
