import { expect, test } from "bun:test";
import { struct } from "./struct.ts";

const MIXED = struct("mixed", {
  tiny: "u8",
  small: "u16",
  big: "u64",
  signed: "s32",
  port: "be16",
  name: { bytes: 3 },
  address: "be32",
  long: "s64",
});

const VALUES = {
  tiny: 0xfe,
  small: 0x1234,
  big: 0x1122334455667788n,
  signed: -2,
  port: 0x5678,
  name: Uint8Array.of(1, 2, 3),
  address: 0xfedcba98,
  long: -2n,
};

test("fields lie where a C compiler puts them", () => {
  // gcc: offsets 0, 2, 8, 16, 20, 22, 28, 32; sizeof 40
  expect(MIXED.size).toBe(40);
  expect(MIXED.encode(VALUES).toHex()).toBe(
    "fe003412" + "00000000" + "8877665544332211" + "feffffff" + "5678" + "010203" + "000000" + "fedcba98" +
      "feffffffffffffff",
  );
});

test("what was encoded is decoded", () => {
  expect(MIXED.decode(MIXED.encode(VALUES))).toEqual(VALUES);
  expect(MIXED.decode(new Uint8Array(40)).signed).toBe(0);
});

test("fields without a value become zero, whatever was there", () => {
  const bytes = new Uint8Array(48).fill(0xff);
  MIXED.write({ tiny: 1 }, { bytes, offset: 4 });
  expect(bytes.toHex()).toBe("ffffffff01" + "00".repeat(39) + "ffffffff");
});

test("a value that does not fit its field is refused by name", () => {
  const refused = (values: Parameters<typeof MIXED.encode>[0]) => () => MIXED.encode(values);
  expect(refused({ tiny: 256 })).toThrow("mixed.tiny cannot be 256");
  expect(refused({ small: -1 })).toThrow("mixed.small cannot be -1");
  expect(refused({ signed: 2 ** 31 })).toThrow("mixed.signed cannot be 2147483648");
  expect(refused({ address: 1.5 })).toThrow("mixed.address cannot be 1.5");
  expect(refused({ big: -1n })).toThrow("mixed.big cannot be -1");
  expect(refused({ long: 2n ** 63n })).toThrow("mixed.long cannot be");
  expect(refused({ name: new Uint8Array(4) })).toThrow("mixed.name cannot be");
});

test("too few bytes are refused", () => {
  expect(() => MIXED.decode(new Uint8Array(39))).toThrow("mixed needs 40 bytes: there are 39");
});
