import { expect, test } from "bun:test";
import { UserError } from "../user_error.ts";
import { describeError, exitCodeOf, stackOf } from "./report.ts";

test("an error and its causes are one line", () => {
  const cause = new Error("EPERM (Operation not permitted)");
  const error = new Error("cannot start the container", { cause: new Error("Cannot mount\n  proc", { cause }) });
  expect(describeError(error)).toBe(
    "cannot start the container: Cannot mount proc: EPERM (Operation not permitted)",
  );
});

test("what a message says already is not said twice", () => {
  const cause = new Error("no such file");
  expect(describeError(new Error("cannot read x: no such file", { cause }))).toBe("cannot read x: no such file");
});

test("all of several errors are told", () => {
  expect(describeError(new AggregateError([new Error("a"), new Error("b")], "teardown failed"))).toBe(
    "teardown failed: a; b",
  );
});

test("what fails while a failure is undone follows it, in the order of happening", () => {
  const attempt = () => {
    using undo = new DisposableStack();
    for (const what of ["third", "second"]) {
      undo.defer(() => {
        throw new Error(what);
      });
    }
    throw new UserError("first", { exitCode: 127 });
  };
  let thrown: unknown;
  try {
    attempt();
  } catch (error) {
    thrown = error;
  }
  expect(describeError(thrown)).toBe("first; then, while clearing up: second; then, while clearing up: third");
  expect(exitCodeOf(thrown)).toBe(127);
});

test("a sentence for the user stands alone", () => {
  const cause = new Error("Cannot open: ENOENT (No such file or directory)");
  expect(describeError(new UserError("The directory does not exist", { cause }))).toBe("The directory does not exist");
});

test("a circle of causes ends, and what is no error is told as well", () => {
  const error = new Error("round");
  error.cause = error;
  expect(describeError(error)).toBe("round");
  expect(describeError("text")).toBe("text");
  expect(describeError(undefined)).toBe("an error without a message");
});

test("the exit code is the outermost one said, else 125", () => {
  const inner = new UserError("not found", { exitCode: 127 });
  expect(exitCodeOf(new Error("x", { cause: inner }))).toBe(127);
  expect(exitCodeOf(new UserError("x"))).toBe(125);
  expect(exitCodeOf(new Error("x"))).toBe(125);
});

test("--debug shows the stacks of the causes too", () => {
  expect(stackOf(new Error("outer", { cause: new Error("inner") }))).toMatch(/outer[\s\S]*caused by [\s\S]*inner/);
});

test("what a terminal would obey is not printed as it is", () => {
  expect(describeError(new Error('Cannot open "a\x1b[31m\x07\u009bb": ENOENT'))).toBe(
    'Cannot open "a\\x1b[31m\\x07\\x9bb": ENOENT',
  );
});
