/**
 * Makes dist/generated/programs.ts and program_notes.ts: the programs of system calls that are the same for every
 * plain start, assembled for one machine, and, apart from them since only an error asks for it, what their calls do.
 *
 * Usage: bun scripts/prepare_programs.ts x64|arm64
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { makeImage, notesOf } from "../ffi/image.ts";
import type { Machine } from "../ffi/syscalls.ts";
import { plainProgram } from "../src/container/plain_plan.ts";

const OUT = "dist/generated";

/**
 * Where the images lie: in the lowest part of an address space that is as small as 39 bits on some arm64 kernels,
 * above all that a linker puts there, below all that mmap hands out by itself.
 */
const FIRST_BASE = 0x10_0000_0000;

function main([machine]: readonly string[]): void {
  if (machine !== "x64" && machine !== "arm64") throw new Error("which machine: x64 or arm64?");
  const program = plainProgram(machine satisfies Machine);
  const image = makeImage(program, { base: FIRST_BASE, machine });
  // A stand-in in an error's text is shown by its name.
  const notes = JSON.stringify(notesOf(program)).replaceAll("\\u0001", "the ");
  mkdirSync(OUT, { recursive: true });
  const head = `// Made by scripts/prepare_programs.ts for ${machine}.\n`;
  writeFileSync(
    `${OUT}/programs.ts`,
    `${head}import type { ProgramImage } from "../../ffi/image.ts";\n` +
      `export const plainChildImage: ProgramImage = ${JSON.stringify(image)};\n`,
  );
  writeFileSync(
    `${OUT}/program_notes.ts`,
    `${head}import type { CallNote } from "../../ffi/image.ts";\n` +
      `export const plainChildNotes: readonly CallNote[] = ${notes};\n`,
  );
}

main(process.argv.slice(2));
