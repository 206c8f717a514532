/**
 * Makes dist/generated/programs.ts: the programs of system calls that are the same for every plain start, assembled
 * for one machine.
 *
 * Usage: bun scripts/prepare_programs.ts x64|arm64
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { makeImage } from "../ffi/image.ts";
import { catchProgram } from "../ffi/signal_handler.ts";
import { plainProgram } from "../src/container/plain_plan.ts";
import { forwardedSignals } from "../src/container/supervise.ts";
import { newNamespaceVisit, visitProgram } from "../src/kernel/namespace_plan.ts";
import { HOME } from "../src/kernel/namespaces.ts";
import { containerNamespace } from "../src/network/container_namespace.ts";

const OUT = "dist/generated";

/**
 * Where the images lie, each with a megabyte to itself: in the lowest part of an address space that is as small as 39
 * bits on some arm64 kernels, above all that a linker puts there, below all that mmap hands out by itself.
 */
const FIRST_BASE = 0x10_0000_0000;
const APART = 0x10_0000;

function main([machine]: readonly string[]): void {
  if (machine !== "x64" && machine !== "arm64") throw new Error("which machine: x64 or arm64?");
  const programs = {
    plainChildImage: plainProgram(machine),
    catchSignalsImage: catchProgram(forwardedSignals()),
    containerNamespaceImage: visitProgram(newNamespaceVisit(containerNamespace()), { param: HOME }),
  };
  mkdirSync(OUT, { recursive: true });
  const lines = Object.entries(programs).map(([name, program], index) => {
    const image = makeImage(program, { base: FIRST_BASE + index * APART, machine });
    if (image.size > APART) throw new Error(`${name} takes ${image.size} bytes`);
    return `export const ${name}: ProgramImage = ${JSON.stringify(image)};\n`;
  });
  const head = `// Made by scripts/prepare_programs.ts for ${machine}.\n`;
  writeFileSync(
    `${OUT}/programs.ts`,
    `${head}import type { ProgramImage } from "../../ffi/image.ts";\n${lines.join("")}`,
  );
}

main(process.argv.slice(2));
