import { expect, test } from "bun:test";
import { constants } from "node:os";
import { parseSignal, type SignalName, signalName, signalNumber } from "./signal_names.ts";

test("every signal that the engine knows by name has the same number here", () => {
  const otherNames = ["SIGIOT", "SIGPOLL", "SIGUNUSED"];
  for (const [name, number] of Object.entries(constants.signals)) {
    if (!otherNames.includes(name)) expect([name, signalNumber(name.slice(3) as SignalName)]).toEqual([name, number]);
  }
});

test("a signal is understood as a number, by its name with and without SIG, and as a real-time signal", () => {
  expect(["15", "TERM", "sigterm", "SigTerm"].map(parseSignal)).toEqual([15, 15, 15, 15]);
  expect(["RTMIN", "RTMIN+3", "SIGRTMAX-1", "rtmax"].map(parseSignal)).toEqual([34, 37, 63, 64]);
});

test("what is no signal is not understood", () => {
  for (const text of ["", "0", "65", "-9", "9x", "FOO", "RTMIN-1", "RTMAX+1", "SIG", "1e1"]) {
    expect([text, parseSignal(text)]).toEqual([text, undefined]);
  }
});

test("numbers are written as names", () => {
  expect([9, 28, 34, 40, 32, 99].map(signalName)).toEqual([
    "SIGKILL",
    "SIGWINCH",
    "SIGRTMIN+0",
    "SIGRTMIN+6",
    "32",
    "99",
  ]);
});
