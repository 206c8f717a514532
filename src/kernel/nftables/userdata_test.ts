import { expect, test } from "bun:test";
import { commentOf, commentUserdata, setCommentOf, setUserdata } from "./userdata.ts";

test("a comment is written as nft(8) and iptables write it, and read again", () => {
  expect(commentUserdata("bridge").toHex()).toBe("000762726964676500");
  expect(commentOf(commentUserdata("bridge"))).toBe("bridge");
  expect(commentOf(commentUserdata("Brücke"))).toBe("Brücke");
});

test("a set's comment stands among its notes", () => {
  const notes = setUserdata({ keyByteorder: 1, keyConcatenated: true, comment: "ours" });
  expect(setCommentOf(notes)).toBe("ours");
  expect(setCommentOf(setUserdata({ keyByteorder: 1, keyConcatenated: true }))).toBeUndefined();
});

test("a comment that could not be listed and typed again is refused", () => {
  for (const comment of ["x".repeat(128), 'a "quoted" one', "a\0b"]) {
    expect(() => commentUserdata(comment)).toThrow(RangeError);
  }
  expect(commentUserdata("x".repeat(127))).toHaveLength(130);
});

test("another tool's user data are no comment, whatever they are", () => {
  for (const hex of ["", "00", "0005", "000561", "000261", "00026162", "0101", "ffff00"]) {
    expect(commentOf(Uint8Array.fromHex(hex)), hex).toBeUndefined();
  }
});
