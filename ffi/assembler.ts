/** What a program needs of a machine: ten instructions' worth. Each assembler is these verbs and an encoder. */
export interface Assembler {
  /** Loads a constant into the kernel's argument register `index` (0 to 5). */
  setArgument(index: number, value: number | bigint): void;
  /** Loads the 64-bit word at `address` into argument register `index`. */
  loadArgument(index: number, address: number): void;
  /** Makes the system call; the result stays in the result register until the next one. */
  syscall(nr: number): void;
  /** Stores the result register at `address`. */
  storeResult(address: number): void;
  /** Stores a constant from 0 to 65535 at `address`, leaving the result register as it is. */
  storeConstant(address: number, value: number): void;
  /** Jumps when the result is an error: -4095 to -1. */
  jumpIfError(label: string): void;
  /** Jumps when the result equals a value from -4095 to 65535. */
  jumpIfEqual(value: number, label: string): void;
  jump(label: string): void;
  label(name: string): void;
  /** Returns to the caller with the result register as the return value. */
  return(): void;
  /** An instruction that kills the process (SIGILL). */
  trap(): void;
  /** The code, jumps resolved. Throws where a label is missing. */
  finish(): Uint8Array;
}

/** Machine code under construction: bytes, labels, and the jumps that still want them. */
export class CodeBuffer {
  #bytes = new Uint8Array(16384);
  length = 0;
  readonly #labels = new Map<string, number>();
  readonly #jumps: { at: number; label: string }[] = [];

  byte(value: number): void {
    if (this.length === this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.length++] = value;
  }

  /** 32 bits, little end first. */
  word32(value: number): void {
    this.byte(value & 0xff);
    this.byte((value >>> 8) & 0xff);
    this.byte((value >>> 16) & 0xff);
    this.byte(value >>> 24);
  }

  label(name: string): void {
    if (this.#labels.has(name)) throw new Error(`label "${name}" stands twice`);
    this.#labels.set(name, this.length);
  }

  /** Remembers that the four bytes at `at` are to hold the way to `label`. */
  jumpAt(at: number, label: string): void {
    this.#jumps.push({ at, label });
  }

  /** The code; `resolve` gives the four bytes of a jump from what stands there and the distance from `at`. */
  finish(resolve: (existing: number, distance: number) => number): Uint8Array {
    const code = this.#bytes.subarray(0, this.length);
    const view = new DataView(code.buffer, 0, this.length);
    for (const { at, label } of this.#jumps) {
      const target = this.#labels.get(label);
      if (target === undefined) throw new Error(`label "${label}" is missing`);
      view.setUint32(at, resolve(view.getUint32(at, true), target - at) >>> 0, true);
    }
    return code;
  }
}

/** A 64-bit value as its two halves, [low, high], both unsigned. Throws a RangeError on a fraction or overflow. */
export function halves(value: number | bigint): [number, number] {
  if (typeof value === "bigint") {
    if (value < -(2n ** 63n) || value >= 2n ** 64n) throw new RangeError(`${value} does not fit in 64 bits`);
    const word = BigInt.asUintN(64, value);
    return [Number(word & 0xffffffffn), Number(word >> 32n)];
  }
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer of at most 53 bits`);
  return [value >>> 0, Math.floor(value / 2 ** 32) >>> 0];
}
