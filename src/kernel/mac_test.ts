import { expect, test } from "bun:test";
import { formatMac, isUnicastMac, macBytes, parseMac } from "./mac.ts";

test("an Ethernet address is read in any case and written in lower case", () => {
  expect<string>(parseMac("02:53:AC:10:00:0f")).toBe("02:53:ac:10:00:0f");
  expect(macBytes("02:53:ac:10:00:02").toHex()).toBe("0253ac100002");
  expect<string>(formatMac(Uint8Array.of(0, 1, 2, 3, 254, 255))).toBe("00:01:02:03:fe:ff");
});

for (
  const text of ["", "02:53:ac:10:00", "02:53:ac:10:00:02:01", "02-53-ac-10-00-02", "0g:53:ac:10:00:02"]
    .concat("2:53:ac:10:00:02", "02:53:ac:10:00:2", "+2:53:ac:10:00:02", " 2:53:ac:10:00:02")
) {
  test(`${JSON.stringify(text)} is not an Ethernet address`, () => {
    expect(() => parseMac(text)).toThrow(`${JSON.stringify(text)} is not an Ethernet address`);
  });
}

test("a group address is told from a station's", () => {
  expect(isUnicastMac(parseMac("02:53:ac:10:00:02"))).toBe(true);
  expect(isUnicastMac(parseMac("01:00:5e:00:00:01"))).toBe(false);
});

test("bytes of another length are no address", () => {
  expect(() => formatMac(new Uint8Array(8))).toThrow("an Ethernet address has 6 bytes, not 8");
});
