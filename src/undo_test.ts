import { expect, test } from "bun:test";
import { UndoStack } from "./undo.ts";

test("what was deferred is done once, last first", () => {
  const done: number[] = [];
  {
    using undo = new UndoStack();
    undo.defer(() => done.push(1));
    const resource = undo.use({ [Symbol.dispose]: () => void done.push(2) });
    undo.defer(() => done.push(3));
    expect(Symbol.dispose in resource).toBe(true);
    undo.dispose();
    expect(done).toEqual([3, 2, 1]);
  }
  expect(done).toEqual([3, 2, 1]);
});

test("what was moved is another's to take back", () => {
  const done: number[] = [];
  const undo = new UndoStack();
  undo.defer(() => done.push(1));
  const moved = undo.move();
  undo.dispose();
  expect(done).toEqual([]);
  moved.dispose();
  expect(done).toEqual([1]);
});

test("an error keeps nothing from being taken back, and of several none is lost", () => {
  const done: number[] = [];
  const fail = (text: string) => () => {
    throw new Error(text);
  };
  const one = new UndoStack();
  one.defer(() => done.push(1));
  one.defer(fail("alone"));
  expect(() => one.dispose()).toThrow("alone");
  const several = new UndoStack();
  several.defer(fail("third"));
  several.defer(() => done.push(2));
  several.defer(fail("second"));
  several.defer(fail("first"));
  let thrown: unknown;
  try {
    several.dispose();
  } catch (error) {
    thrown = error;
  }
  expect(done).toEqual([1, 2]);
  // As DisposableStack has it: the last one thrown, with what it has covered.
  const outer = thrown as SuppressedError;
  expect(outer).toBeInstanceOf(SuppressedError);
  expect((outer.error as Error).message).toBe("third");
  const inner = outer.suppressed as SuppressedError;
  expect([(inner.error as Error).message, (inner.suppressed as Error).message]).toEqual(["second", "first"]);
});

test("what is deferred while taking back is taken back, too", () => {
  const done: number[] = [];
  const undo = new UndoStack();
  undo.defer(() => {
    done.push(1);
    undo.defer(() => done.push(2));
  });
  undo.dispose();
  expect(done).toEqual([1, 2]);
});
