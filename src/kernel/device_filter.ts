/**
 * Which devices a control group may use, as a program of the kernel's virtual machine: version 2 has no controller
 * for that. Source: include/uapi/linux/bpf.h (struct bpf_cgroup_dev_ctx), Documentation/bpf/standardization.
 */
import { addressOf, check, cString, syscall } from "../../ffi/libc.ts";
import type { DeviceRule } from "./cgroup_hierarchies.ts";
import { Descriptor } from "./descriptor.ts";

// Of an instruction: 8 bits code, 4 and 4 bits registers, 16 bits offset, 32 bits constant.
const LOAD_WORD = 0x61; // dst = *(u32 *)(src + offset)
const COPY = 0xbf; // dst = src
const SET = 0xb7; // dst = constant
const AND = 0x57;
const SHIFT_RIGHT = 0x77;
const JUMP_UNLESS_EQUAL = 0x55;
const EXIT = 0x95;
const INSTRUCTION_BYTES = 8;

// include/uapi/linux/bpf.h: the type is in the low half of the context's first word, the access in the high one.
const TYPES = { b: 1, c: 2 } as const;
const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const ALL_ACCESS = 7;

type Instruction = readonly [code: number, registers: number, offset: number, constant: number];

/** dst and src as the one byte that holds both. */
const registers = (destination: number, source = 0) => destination | (source << 4);

/** The program: 1 (allowed) for what one of the rules allows, else 0. Pure. */
export function deviceProgram(rules: readonly DeviceRule[]): Uint8Array<ArrayBuffer> {
  const instructions: Instruction[] = [
    [LOAD_WORD, registers(2, 1), 0, 0],
    [COPY, registers(3, 2), 0, 0],
    [AND, registers(2), 0, 0xffff], // r2: the type
    [SHIFT_RIGHT, registers(3), 0, 16], // r3: the access
    [LOAD_WORD, registers(4, 1), 4, 0], // r4: the major number
    [LOAD_WORD, registers(5, 1), 8, 0], // r5: the minor number
  ];
  for (const rule of rules) instructions.push(...oneRule(rule));
  instructions.push([SET, registers(0), 0, 0], [EXIT, 0, 0, 0]);
  const bytes = new Uint8Array(instructions.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  instructions.forEach(([code, both, offset, constant], index) => {
    const at = index * INSTRUCTION_BYTES;
    bytes.set([code, both], at);
    view.setInt16(at + 2, offset, true);
    view.setInt32(at + 4, constant, true);
  });
  return bytes;
}

function oneRule({ type, major, minor, access }: DeviceRule): Instruction[] {
  let forbidden = ALL_ACCESS;
  for (const letter of access) forbidden &= ~(ACCESS[letter] ?? 0);
  const tests: Instruction[] = [[JUMP_UNLESS_EQUAL, registers(2), 0, TYPES[type]]];
  if (forbidden !== 0) {
    tests.push([COPY, registers(1, 3), 0, 0], [AND, registers(1), 0, forbidden], [
      JUMP_UNLESS_EQUAL,
      registers(1),
      0,
      0,
    ]);
  }
  if (major !== "*") tests.push([JUMP_UNLESS_EQUAL, registers(4), 0, major]);
  if (minor !== "*") tests.push([JUMP_UNLESS_EQUAL, registers(5), 0, minor]);
  const all: Instruction[] = [...tests, [SET, registers(0), 0, 1], [EXIT, 0, 0, 0]];
  // A jump's distance counts from the instruction behind it: to the next rule.
  return all.map((instruction, index) => {
    const [code, both, offset, constant] = instruction;
    return code === JUMP_UNLESS_EQUAL ? [code, both, all.length - index - 1, constant] : [code, both, offset, constant];
  });
}

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
/** Beside the programs of groups above, all of which must allow. */
const BPF_F_ALLOW_MULTI = 2;
/** Of union bpf_attr, as much as is used, and what a kernel of any version takes. */
const ATTRIBUTE_BYTES = 72;

/** Lets the group whose directory is open, and all below it, use these devices alone. Throws a KernelError. */
export function limitDevices(group: number, rules: readonly DeviceRule[]): void {
  const doing = { operation: "limit", subject: "the devices of a control group" };
  const program = deviceProgram(rules);
  const licence = cString("MIT"); // it calls nothing of the kernel's that would want another one
  const load = new DataView(new ArrayBuffer(ATTRIBUTE_BYTES));
  load.setUint32(0, BPF_PROG_TYPE_CGROUP_DEVICE, true);
  load.setUint32(4, program.length / INSTRUCTION_BYTES, true);
  load.setBigUint64(8, BigInt(addressOf(program)), true);
  load.setBigUint64(16, BigInt(addressOf(licence)), true);
  using loaded = new Descriptor(check(bpf(BPF_PROG_LOAD, load), doing));
  const attach = new DataView(new ArrayBuffer(ATTRIBUTE_BYTES));
  attach.setUint32(0, group, true);
  attach.setUint32(4, loaded.fd, true);
  attach.setUint32(8, BPF_CGROUP_DEVICE, true);
  attach.setUint32(12, BPF_F_ALLOW_MULTI, true);
  check(bpf(BPF_PROG_ATTACH, attach), doing);
  program.fill(0); // referred to until here
  licence.fill(0);
}

function bpf(command: number, attributes: DataView<ArrayBuffer>): number {
  const bytes = new Uint8Array(attributes.buffer);
  return syscall("bpf", command, addressOf(bytes), bytes.length);
}
