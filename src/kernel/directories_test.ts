import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listDirectory, makeDirectories, makeDirectory, readDirectory, removeDirectory } from "./directories.ts";
import { openFile, removeFile } from "./files.ts";
import { O_DIRECTORY } from "./open_flags.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "skdocker-directories-"));
});
afterAll(() => rmSync(root, { recursive: true }));

test("a directory's names are listed without dot and dot-dot, again from the start each time", () => {
  mkdirSync(join(root, "many"));
  const names = Array.from({ length: 2000 }, (_, index) => `file-${String(index).padStart(5, "0")}-ä`);
  for (const name of names) writeFileSync(join(root, "many", name), "");
  expect(listDirectory(join(root, "many"))).toEqual(names);
  using directory = openFile(join(root, "many"), { flags: O_DIRECTORY });
  expect(readDirectory(directory.fd).length).toBe(2000);
  expect(readDirectory(directory.fd).length).toBe(2000);
});

test("directories are made with those above them, removed, and missing ones reported as such", () => {
  makeDirectories(join(root, "a/b/c"));
  makeDirectories(join(root, "a/b/c"));
  expect(makeDirectory(join(root, "a/b/c"))).toBe(false);
  expect(makeDirectory(join(root, "a/b/d"))).toBe(true);
  expect(() => removeDirectory(join(root, "a"))).toThrow("ENOTEMPTY");
  expect(removeDirectory(join(root, "a/b/c"))).toBe(true);
  expect(removeDirectory(join(root, "a/b/c"))).toBe(false);
  expect(removeFile(join(root, "nothing"))).toBe(false);
});
