import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { assembleVerbs, EVERY_VERB, type Verb } from "../tests/golden/assembler_text.ts";
import { Arm64Assembler } from "./assemble_arm64.ts";
import { X64Assembler } from "./assemble_x64.ts";
import { CodeWords, lowerHalf, upperHalf } from "./assembler.ts";
import type { Machine } from "./syscalls.ts";

function assembled(machine: Machine, verbs: readonly Verb[], words = 4096): Uint8Array {
  const code = new CodeWords(new Uint32Array(words));
  return assembleVerbs(machine === "x64" ? new X64Assembler(code) : new Arm64Assembler(code), verbs);
}

for (const machine of ["x64", "arm64"] as const) {
  test(`${machine}: every verb gives the bytes that GNU as gave (the recipe is in the .s file)`, () => {
    const golden = readFileSync(join(import.meta.dir, `../tests/golden/assembler_${machine}.hex`), "utf8");
    expect(Buffer.from(assembled(machine, EVERY_VERB)).toString("hex")).toBe(golden.replace(/\s/g, ""));
  });

  test(`${machine}: a jump to a label that was never placed is refused`, () => {
    expect(() => assembled(machine, [["jump", 0]])).toThrow("never placed");
  });

  test(`${machine}: a label that is placed twice is refused`, () => {
    expect(() => assembled(machine, [["place", 0], ["place", 0]])).toThrow("twice");
  });

  test(`${machine}: code that outgrows its memory is refused instead of cut off`, () => {
    expect(() => assembled(machine, [["syscall", 1, 1], ["syscall", 1, 1]], 4)).toThrow("longer than its memory");
  });

  test(`${machine}: what is no integer of 64 bits is refused`, () => {
    for (const value of [0.5, NaN, Infinity, 2 ** 53, -(2 ** 53), 2n ** 64n, -(2n ** 63n) - 1n]) {
      expect(() => assembled(machine, [["setArgument", 0, value]])).toThrow(RangeError);
    }
  });
}

test("x64: a comparison with more than 31 bits and a sign is refused: the machine would extend the sign", () => {
  expect(() => assembled("x64", [["place", 0], ["jumpIfEqual", 2 ** 31, 0]])).toThrow(RangeError);
});

test("the halves of a constant put together are the constant", () => {
  for (
    const value of [0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32, -(2 ** 32) - 1, 2 ** 53 - 1, 1 - 2 ** 53, 2n ** 64n - 1n]
  ) {
    const word = (BigInt(upperHalf(value)) << 32n) + BigInt(lowerHalf(value) >>> 0);
    expect(BigInt.asUintN(64, word)).toBe(BigInt.asUintN(64, BigInt(value)));
  }
});
