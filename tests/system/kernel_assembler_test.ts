/** The assemblers, the fixed pieces of machine code and the system call numbers, against the GNU tools and the headers. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Arm64Assembler } from "../../ffi/assemble_arm64.ts";
import { X64Assembler } from "../../ffi/assemble_x64.ts";
import { CodeWords } from "../../ffi/assembler.ts";
import { ENTRY_CODE } from "../../ffi/libc.ts";
import { signalHandlerCode } from "../../ffi/signal_handler.ts";
import { type Machine, syscallNames, syscallNumber } from "../../ffi/syscalls.ts";
import { assembleVerbs, EVERY_VERB, FIXED_CODE, gnuText, type Verb } from "../golden/assembler_text.ts";

const TOOLS = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" } as const;
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "skdocker-assembler-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function gnuAssemble(machine: Machine, source: string): string {
  const [text, object, code] = ["code.s", "code.o", "code.bin"].map((name) => join(directory, `${machine}-${name}`));
  writeFileSync(text!, source); // three names, three paths
  for (const command of [["as", "-o", object!, text!], ["objcopy", "-O", "binary", "-j", ".text", object!, code!]]) {
    const [tool, ...args] = command;
    const { exitCode, stderr } = Bun.spawnSync([`${TOOLS[machine]}-${tool}`, ...args]);
    if (exitCode !== 0) throw new Error(stderr.toString());
  }
  return readFileSync(code!).toString("hex");
}

function ownBytes(machine: Machine, verbs: readonly Verb[]): string {
  const code = new CodeWords(new Uint32Array(1 << 16));
  const assembler = machine === "x64" ? new X64Assembler(code) : new Arm64Assembler(code);
  return Buffer.from(assembleVerbs(assembler, verbs)).toString("hex");
}

/** xorshift32: the same sequences in every run, so that a failure can be looked at. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function randomVerbs(seed: number): Verb[] {
  const random = randomNumbers(seed);
  const labels = 1 + random(12);
  const word = () => {
    const magnitude = Math.floor(2 ** random(54)) - random(3) + random(70000);
    const value = Math.min(magnitude, Number.MAX_SAFE_INTEGER);
    return random(2) === 0 ? value : -value;
  };
  const wide = () => BigInt.asUintN(64, (BigInt(word()) << BigInt(random(12))) ^ BigInt(word()));
  const address = () => 0x10000 + 8 * random(2 ** 31) * 2 ** random(13);
  const verbs: Verb[] = Array.from({ length: 40 + random(160) }, (): Verb => {
    switch (random(10)) {
      case 0:
        return ["loadArgument", random(6), address()];
      case 1:
        return ["syscall", random(462), random(70000)];
      case 2:
        return ["storeResult", address()];
      case 3:
        return ["storeFailure", address()];
      case 4:
        return ["jumpIfError", random(labels)];
      case 5:
        return ["jumpIfEqual", random(69631) - 4095, random(labels)];
      case 6:
        return ["jump", random(labels)];
      case 7:
        return [(["enter", "return", "trap"] as const)[random(3)]!]; // below 3
      case 8:
        return ["setArgument", random(6), wide()];
      default:
        return ["setArgument", random(6), word()];
    }
  });
  for (let label = 0; label < labels; label++) verbs.splice(random(verbs.length + 1), 0, ["place", label]);
  return verbs;
}

const MACHINES: readonly Machine[] = ["x64", "arm64"];

for (const machine of MACHINES) {
  test(`${machine}: every verb gives the bytes that GNU as gives`, () => {
    expect(ownBytes(machine, EVERY_VERB)).toBe(gnuAssemble(machine, gnuText(machine, EVERY_VERB)));
  });

  test(`${machine}: two hundred random sequences give the bytes that GNU as gives`, () => {
    // One source file: the sequences follow each other, each with its labels under names of its own.
    const sequences = Array.from({ length: 200 }, (_, index) => randomVerbs(index + 1));
    const source = sequences.map((verbs, index) => gnuText(machine, verbs).replace(/\b([LC])(\d+)\b/g, `$1${index}_$2`))
      .join("\n");
    expect(sequences.map((verbs) => ownBytes(machine, verbs)).join("")).toBe(gnuAssemble(machine, source));
  });

  test(`${machine}: the native entry and the signal handler are what their comments say`, () => {
    const { entry, signalHandler } = FIXED_CODE[machine];
    expect(Buffer.from(ENTRY_CODE[machine]).toString("hex")).toBe(gnuAssemble(machine, entry));
    const handler = Buffer.from(signalHandlerCode(0x12345, machine)).toString("hex");
    expect(handler).toBe(gnuAssemble(machine, signalHandler));
  });

  test(`${machine}: the goldens of the unit tests are what GNU as gives today`, () => {
    const golden = readFileSync(join(import.meta.dir, `../golden/assembler_${machine}.hex`), "utf8");
    expect(golden.replace(/\s/g, "")).toBe(gnuAssemble(machine, gnuText(machine, EVERY_VERB)));
  });
}

const HEADERS = {
  x64: "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
  arm64: "/usr/include/asm-generic/unistd.h",
} as const;

for (const machine of MACHINES) {
  test(`${machine}: every system call has the number that the kernel's header gives it`, () => {
    // In the generic table, calls whose name depends on the word size are __NR3264_name.
    const header = readFileSync(HEADERS[machine], "utf8");
    const expected = new Map<string, number>();
    for (const [, name, number] of header.matchAll(/^#define __NR(?:3264)?_(\w+)\s+(\d+)/gm)) {
      if (!expected.has(name!)) expected.set(name!, Number(number)); // both groups take part in every match
    }
    for (const [, name, alias] of header.matchAll(/^#define __NR_(\w+) __NR3264_(\w+)/gm)) {
      if (!expected.has(name!)) expected.set(name!, expected.get(alias!)!); // newfstatat, for one
    }
    for (const name of syscallNames()) expect([name, expected.get(name)]).toEqual([name, syscallNumber(name, machine)]);
  });
}
