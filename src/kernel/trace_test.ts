import { expect, test } from "bun:test";
import { UserError } from "../user_error.ts";
import { parseTrace } from "./trace.ts";

test("words to trace are separated by commas", () => {
  expect([...parseTrace("netlink, nft,")]).toEqual(["netlink", "nft"]);
  expect(parseTrace(undefined).size).toBe(0);
  expect(parseTrace("").size).toBe(0);
});

test("a word that is none is refused with those that are", () => {
  expect(() => parseTrace("netlnk")).toThrow(
    new UserError('SKDOCKER_TRACE does not know "netlnk"; it takes netlink, mount, nft, syscall, separated by commas'),
  );
});
