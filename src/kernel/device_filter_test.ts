import { expect, test } from "bun:test";
import type { DeviceRule } from "./cgroup_hierarchies.ts";
import { deviceProgram } from "./device_filter.ts";

const RULES: readonly DeviceRule[] = [
  { type: "c", major: "*", minor: "*", access: "m" },
  { type: "c", major: 1, minor: 3, access: "rwm" },
  { type: "c", major: 136, minor: "*", access: "rw" },
  { type: "b", major: 7, minor: 0, access: "r" },
];

interface Use {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly access: string;
}

/** What the program answers, by a machine of the few instructions that it consists of. */
function answer(program: Uint8Array<ArrayBuffer>, { type, major, minor, access }: Use): number {
  const bits = [...access].reduce((sum, letter) => sum + (letter === "m" ? 1 : letter === "r" ? 2 : 4), 0);
  const context = [(bits << 16) | (type === "b" ? 1 : 2), major, minor];
  const register = new Array<number>(11).fill(Number.NaN);
  const view = new DataView(program.buffer);
  for (let at = 0; at < program.length / 8; at++) {
    const [code, both] = [view.getUint8(at * 8), view.getUint8(at * 8 + 1)];
    const [offset, constant] = [view.getInt16(at * 8 + 2, true), view.getInt32(at * 8 + 4, true)];
    const [to, from] = [both & 15, both >> 4];
    if (code === 0x61) register[to] = context[offset / 4] as number;
    else if (code === 0xbf) register[to] = register[from] as number;
    else if (code === 0xb7) register[to] = constant;
    else if (code === 0x57) register[to] = (register[to] as number) & constant;
    else if (code === 0x77) register[to] = (register[to] as number) >>> constant;
    else if (code === 0x55) at += register[to] === constant ? 0 : offset;
    else if (code === 0x95) return register[0] as number;
    else throw new Error(`unknown instruction ${code}`);
  }
  throw new Error("the program has no end");
}

test("what a rule allows is allowed, and nothing else", () => {
  const program = deviceProgram(RULES);
  const uses: [Use, number][] = [
    [{ type: "c", major: 1, minor: 3, access: "rw" }, 1],
    [{ type: "c", major: 1, minor: 3, access: "rwm" }, 1],
    [{ type: "c", major: 1, minor: 4, access: "r" }, 0],
    [{ type: "b", major: 1, minor: 3, access: "r" }, 0],
    [{ type: "c", major: 9, minor: 9, access: "m" }, 1],
    [{ type: "c", major: 9, minor: 9, access: "rm" }, 0],
    [{ type: "b", major: 9, minor: 9, access: "m" }, 0],
    [{ type: "c", major: 136, minor: 77, access: "rw" }, 1],
    [{ type: "c", major: 136, minor: 77, access: "rwm" }, 0],
    [{ type: "b", major: 7, minor: 0, access: "r" }, 1],
    [{ type: "b", major: 7, minor: 0, access: "rw" }, 0],
    [{ type: "b", major: 7, minor: 1, access: "r" }, 0],
  ];
  expect(uses.map(([use]) => answer(program, use))).toEqual(uses.map(([, allowed]) => allowed));
});

test("without rules nothing is allowed", () => {
  const program = deviceProgram([]);
  expect(answer(program, { type: "c", major: 1, minor: 3, access: "r" })).toBe(0);
});
