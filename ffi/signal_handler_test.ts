import { expect, test } from "bun:test";
import { addressOf, syscall } from "./libc.ts";
import { NativeProgram } from "./native.ts";
import {
  ACTION,
  catchProgram,
  formerAction,
  handlerAction,
  restoreAction,
  SIGNAL_BYTES,
  signalHandlerCode,
} from "./signal_handler.ts";

// The bytes for descriptor 0x12345, captured from GNU as: tests/golden/assembler_text.ts, FIXED_CODE, and
//   as -o code.o code.s && objcopy -O binary -j .text code.o code.bin && od -An -v -tx1 code.bin
const GOLDEN = {
  x64: "4863ff57bf452301004889e6ba08000000b8010000000f055fc3b80f0000000f05",
  arm64: "007c4093e00f1ff8a06884d22000a0f2e1030091020180d2080880d2010000d4ff430091c0035fd6",
};

for (const machine of ["x64", "arm64"] as const) {
  test(`${machine}: the handler's code is what GNU as gave for it`, () => {
    expect(Buffer.from(signalHandlerCode(0x12345, machine)).toString("hex")).toBe(GOLDEN[machine]);
  });
}

test("a signal is written to the descriptor as its number, and no longer after its disposition is restored", () => {
  const pair = new Int32Array(2);
  syscall("pipe2", addressOf(new Uint8Array(pair.buffer)), 0o4000);
  const [reading, writing] = pair as unknown as [number, number];
  const signals = [10, 28, 34, 64]; // USR1, WINCH, two real-time ones
  using program = new NativeProgram(catchProgram(signals));
  program.buffer(ACTION).set(handlerAction(writing));
  program.run();
  program.throwFailure();
  for (const signal of signals) syscall("kill", process.pid, signal);
  const bytes = new Uint8Array(256);
  const count = syscall("read", reading, addressOf(bytes), bytes.length);
  const seen = new BigInt64Array(bytes.buffer, 0, count / SIGNAL_BYTES);
  expect([...seen].map(Number).sort((a, b) => a - b)).toEqual(signals);
  for (const signal of signals) restoreAction(signal, program.buffer(formerAction(signal)));
  syscall("kill", process.pid, 28); // ignored by default
  expect(syscall("read", reading, addressOf(bytes), bytes.length)).toBe(-11);
  for (const fd of [reading, writing]) syscall("close", fd);
});
