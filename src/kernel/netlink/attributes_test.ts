import { expect, test } from "bun:test";
import { AttributeReader, AttributeWriter } from "./attributes.ts";

function written(write: (writer: AttributeWriter) => void): string {
  const writer = new AttributeWriter();
  write(writer);
  return writer.bytes.toHex();
}

function reader(hex: string): AttributeReader {
  const reading = new AttributeReader(Uint8Array.fromHex(hex));
  expect(reading.next()).toBe(true);
  return reading;
}

test("numbers lie in host order, or in network order where they are told to", () => {
  expect(written((to) => to.u8(1, 0xfe))).toBe("05000100fe000000");
  expect(written((to) => to.u16(2, 0x1234))).toBe("0600020034120000");
  expect(written((to) => to.u32(3, 0xfedcba98))).toBe("0800030098badcfe");
  expect(written((to) => to.s32(3, -2))).toBe("08000300feffffff");
  expect(written((to) => to.u64(4, 0x1122334455667788n))).toBe("0c0004008877665544332211");
  expect(written((to) => to.be16(5, 0x1234))).toBe("0600050012340000");
  expect(written((to) => to.be32(6, 0xac100001))).toBe("08000600ac100001");
  expect(written((to) => to.be64(7, 0x1122334455667788n))).toBe("0c0007001122334455667788");
});

test("payloads are padded with zeros to a multiple of four", () => {
  const writer = new AttributeWriter();
  writer.bytesOf(1, new Uint8Array(8).fill(0xff));
  writer.reset();
  writer.bytesOf(1, Uint8Array.of(1));
  writer.string(2, "ab");
  writer.text(3, "ab");
  writer.flag(4);
  expect(writer.bytes.toHex()).toBe("0500010001000000" + "0700020061620000" + "0600030061620000" + "04000400");
});

test("text is UTF-8", () => {
  expect(written((to) => to.string(1, "é"))).toBe("07000100c3a90000");
  expect(reader("07000100c3a90000").string("IFLA_IFALIAS")).toBe("é");
  expect(reader("06000100c3a90000").string("IFLA_IFALIAS")).toBe("é");
});

test("nested attributes are flagged, except where the family is older than the flag", () => {
  const fill = (to: AttributeWriter) => to.nested(2, () => to.u8(1, 7));
  expect(written(fill)).toBe("0c0002800500010007000000");
  const old = new AttributeWriter({ flagNested: false });
  fill(old);
  expect(old.bytes.toHex()).toBe("0c0002000500010007000000");
});

test("the buffer grows", () => {
  const writer = new AttributeWriter();
  for (let i = 0; i < 5000; i++) writer.u32(1, i);
  expect(writer.length).toBe(40_000);
  const reading = new AttributeReader(writer.bytes);
  for (let i = 0; i < 5000; i++) {
    expect(reading.next()).toBe(true);
    if (reading.u32("N") !== i) throw new Error(`number ${i} is ${reading.u32("N")}`);
  }
  expect(reading.next()).toBe(false);
});

test("what does not fit is refused", () => {
  const writer = new AttributeWriter();
  expect(() => writer.u8(1, 256)).toThrow("attribute 1 cannot be 256: it is a u8");
  expect(() => writer.u32(1, -1)).toThrow("attribute 1 cannot be -1: it is a u32");
  expect(() => writer.u32(1, 1.5)).toThrow("attribute 1 cannot be 1.5: it is a u32");
  expect(() => writer.s32(1, 2 ** 31)).toThrow("it is an s32");
  expect(() => writer.u64(1, -1n)).toThrow("attribute 1 cannot be -1: it is a u64");
  expect(() => writer.string(1, "a\0b")).toThrow('attribute 1: "a\\u0000b" contains a NUL character');
  expect(() => writer.bytesOf(1, new Uint8Array(65536))).toThrow("attribute 1 is too long: 65536 bytes");
  const many = () =>
    writer.nested(1, () => {
      for (let i = 0; i < 9000; i++) writer.u32(1, i);
    });
  expect(many).toThrow("a nested attribute is too long: 72004 bytes");
});

test("an attribute of the wrong length is named", () => {
  const short = reader("0600020012340000");
  expect(() => short.u32("IFA_LOCAL")).toThrow("attribute 2 (IFA_LOCAL) is not a u32: length 2");
  expect(() => short.u8("IFA_LOCAL")).toThrow("attribute 2 (IFA_LOCAL) is not a u8: length 2");
  expect(() => short.s32("IFA_LOCAL")).toThrow("attribute 2 (IFA_LOCAL) is not an s32: length 2");
  expect(() => short.u64("IFA_LOCAL")).toThrow("attribute 2 (IFA_LOCAL) is not a u64: length 2");
});

test("truncated attributes are refused", () => {
  const reading = (hex: string) => () => new AttributeReader(Uint8Array.fromHex(hex)).next();
  expect(reading("0800")).toThrow("truncated: 2 bytes are left, too few for an attribute");
  expect(reading("0800020001")).toThrow("attribute 2 is truncated: it says 8 bytes, 5 are left");
  expect(reading("0300020001")).toThrow("attribute 2 is truncated: it says 3 bytes, 5 are left");
});

test("the last attribute may lack its padding", () => {
  const reading = reader("0500010007");
  expect(reading.u8("N")).toBe(7);
  expect(reading.next()).toBe(false);
});

test("a nested attribute ends where it says, and its reader goes on behind it", () => {
  const reading = reader("0c00028005000100070000000500030009000000");
  const inner = reading.nested((r) => {
    const seen: number[] = [];
    while (r.next()) seen.push(r.type, r.u8("N"));
    return seen;
  });
  expect(inner).toEqual([1, 7]);
  expect(reading.next()).toBe(true);
  expect([reading.type, reading.u8("N")]).toEqual([3, 9]);
});
