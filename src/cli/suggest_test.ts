import { expect, test } from "bun:test";
import { didYouMean, editDistance, suggestion } from "./suggest.ts";

test("the distance counts insertions, deletions, replacements and swaps", () => {
  expect(editDistance("name", "name")).toBe(0);
  expect(editDistance("nmae", "name")).toBe(1);
  expect(editDistance("rum", "run")).toBe(1);
  expect(editDistance("", "net")).toBe(3);
  expect(editDistance("kitten", "sitting")).toBe(3);
});

test("the nearest word is suggested, and none that is far away", () => {
  const words = ["run", "net", "version", "info", "completion"];
  expect(suggestion("rum", words)).toBe("run");
  expect(suggestion("vresion", words)).toBe("version");
  expect(suggestion("comp", words)).toBe("completion");
  expect(suggestion("frobnicate", words)).toBeUndefined();
  expect(suggestion("x", words)).toBeUndefined();
  expect(didYouMean("rum", words)).toBe(", did you mean run?");
  expect(didYouMean("zzz", words)).toBe("");
});
