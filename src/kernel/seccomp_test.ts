import { expect, test } from "bun:test";
import { type Machine, type SyscallName, syscallNumber } from "../../ffi/syscalls.ts";
import { assembleBpf } from "./bpf.ts";
import { type Capability, capabilitySet, DEFAULT_CAPABILITIES } from "./capabilities.ts";
import { seccompFilter } from "./seccomp.ts";

const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;
const ARCHITECTURES = { x64: 0xc000003e, arm64: 0xc00000b7, i386: 0x40000003, arm: 0x40000028 } as const;

interface Call {
  readonly nr: number;
  readonly arch: number;
  readonly args?: readonly bigint[];
}

/** An interpreter of the instructions in use, written from the kernel's documentation and from nothing of ours. */
function interpret(filter: Uint8Array, { nr, arch, args = [] }: Call): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, nr >>> 0, true);
  data.setUint32(4, arch, true);
  args.forEach((value, index) => data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, value), true));
  const code = new DataView(filter.buffer, filter.byteOffset, filter.length);
  let accumulator = 0;
  for (let pc = 0; pc * 8 < filter.length; pc++) {
    const k = code.getUint32(pc * 8 + 4, true);
    const [jt, jf] = [code.getUint8(pc * 8 + 2), code.getUint8(pc * 8 + 3)];
    switch (code.getUint16(pc * 8, true)) {
      case 0x20:
        accumulator = data.getUint32(k, true);
        break;
      case 0x15:
        pc += accumulator === k ? jt : jf;
        break;
      case 0x45:
        pc += (accumulator & k) !== 0 ? jt : jf;
        break;
      case 0x06:
        return k;
      default:
        throw new Error(`instruction ${pc} is unknown`);
    }
  }
  throw new Error("the filter ends without an answer");
}

function verdict(
  machine: Machine,
  call: { name: SyscallName; args?: bigint[]; granted?: readonly Capability[] },
): number {
  const capabilities = capabilitySet(call.granted ?? DEFAULT_CAPABILITIES);
  const filter = seccompFilter({ machine, capabilities });
  return interpret(filter, {
    nr: syscallNumber(call.name, machine),
    arch: ARCHITECTURES[machine],
    args: call.args ?? [],
  });
}

const DENIED: readonly SyscallName[] = [
  "keyctl",
  "add_key",
  "request_key",
  "bpf",
  "userfaultfd",
  "perf_event_open",
  "kexec_load",
  "kexec_file_load",
  "open_by_handle_at",
  "syslog",
  "io_uring_setup",
  "io_uring_enter",
  "io_uring_register",
];

for (const machine of ["x64", "arm64"] as const) {
  test(`what no container needs is denied on ${machine}`, () => {
    for (const name of DENIED) expect([name, verdict(machine, { name })]).toEqual([name, EPERM]);
  });

  test(`every other number up to 500 is allowed on ${machine}`, () => {
    const filter = seccompFilter({ machine, capabilities: capabilitySet(DEFAULT_CAPABILITIES) });
    const special = new Map<number, number>(DENIED.map((name) => [syscallNumber(name, machine), EPERM]));
    special.set(syscallNumber("clone3", machine), ENOSYS);
    for (let nr = 0; nr < 500; nr++) {
      expect([nr, interpret(filter, { nr, arch: ARCHITECTURES[machine] })]).toEqual([nr, special.get(nr) ?? ALLOW]);
    }
  });

  test(`calls of another ABI do not exist on ${machine}`, () => {
    const filter = seccompFilter({ machine, capabilities: 0n });
    for (const arch of Object.values(ARCHITECTURES)) {
      if (arch === ARCHITECTURES[machine]) continue;
      for (let nr = 0; nr < 400; nr++) expect(interpret(filter, { nr, arch })).toBe(ENOSYS);
    }
  });

  test(`a new user namespace is denied on ${machine}, other clones and namespaces are left to the kernel`, () => {
    const newUser = 0x10000000n;
    for (const name of ["clone", "unshare"] as const) {
      expect(verdict(machine, { name, args: [newUser] })).toBe(EPERM);
      expect(verdict(machine, { name, args: [newUser | 0x20000011n] })).toBe(EPERM);
      expect(verdict(machine, { name, args: [0xffffffff00000000n | newUser] })).toBe(EPERM);
      expect(verdict(machine, { name, args: [0x6c020011n] })).toBe(ALLOW);
      expect(verdict(machine, { name, args: [newUser << 32n] })).toBe(ALLOW);
    }
    expect(verdict(machine, { name: "clone3" })).toBe(ENOSYS);
  });

  test(`sockets to the hypervisor are denied on ${machine}`, () => {
    for (const name of ["socket", "socketpair"] as const) {
      for (let family = 0n; family < 50n; family++) {
        expect(verdict(machine, { name, args: [family] })).toBe(family === 40n ? EPERM : ALLOW);
      }
      // The kernel takes an int: what stands above it changes nothing.
      expect(verdict(machine, { name, args: [0x1_0000_0000n + 40n] })).toBe(EPERM);
    }
  });

  test(`typing into a terminal is denied on ${machine}, other requests are not`, () => {
    expect(verdict(machine, { name: "ioctl", args: [0n, 0x5412n] })).toBe(EPERM);
    expect(verdict(machine, { name: "ioctl", args: [0n, 0xdead_0000_5412n] })).toBe(EPERM);
    for (const request of [0x5401n, 0x5413n, 0x5411n, 0x541bn]) {
      expect(verdict(machine, { name: "ioctl", args: [0x5412n, request] })).toBe(ALLOW);
    }
  });

  test(`a capability that the kernel asks for lifts the refusal on ${machine}`, () => {
    expect(verdict(machine, { name: "bpf", granted: ["BPF"] })).toBe(ALLOW);
    expect(verdict(machine, { name: "perf_event_open", granted: ["SYS_ADMIN"] })).toBe(ALLOW);
    expect(verdict(machine, { name: "open_by_handle_at", granted: ["DAC_READ_SEARCH"] })).toBe(ALLOW);
    expect(verdict(machine, { name: "kexec_load", granted: ["SYS_BOOT"] })).toBe(ALLOW);
    expect(verdict(machine, { name: "clone3", granted: ["SYS_ADMIN"] })).toBe(ALLOW);
    expect(verdict(machine, { name: "unshare", args: [0x10000000n], granted: ["SYS_ADMIN"] })).toBe(ALLOW);
    expect(verdict(machine, { name: "keyctl", granted: ["SYS_ADMIN"] })).toBe(EPERM);
  });
}

test("calls of the x32 ABI do not exist", () => {
  const filter = seccompFilter({ machine: "x64", capabilities: 0n });
  for (let nr = 0; nr < 600; nr++) {
    expect(interpret(filter, { nr: nr | 0x40000000, arch: ARCHITECTURES.x64 })).toBe(ENOSYS);
  }
  expect(interpret(filter, { nr: -1, arch: ARCHITECTURES.x64 })).toBe(ENOSYS);
});

test("a jump backwards or to nowhere is refused", () => {
  expect(() => assembleBpf([{ label: "a" }, { ifEqual: 1, goto: "a" }])).toThrow("out of reach");
  expect(() => assembleBpf([{ ifEqual: 1, goto: "b" }])).toThrow('label "b" is missing');
});
