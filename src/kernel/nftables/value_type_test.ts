import { describe, expect, test } from "bun:test";
import { decodeKey, encodeKey, keyFields, keyLength, keyTypeId, parseValue, valueText } from "./value_type.ts";

describe("a value is written and read", () => {
  const cases = [
    ["ifname", "skbr0", "736b6272300000000000000000000000", '"skbr0"'],
    ["ipv4_addr", "172.16.0.1", "ac100001", "172.16.0.1"],
    ["inet_service", "53", "0035", "53"],
    ["inet_proto", "tcp", "06", "tcp"],
    ["inet_proto", "200", "c8", "200"],
    ["tcp_flag", "syn|rst", "06", "syn | rst"],
    ["ct_state", "established,related", "06000000", "established,related"],
    ["ct_status", "dnat", "20000000", "dnat"],
    ["mark", "0x2a", "2a000000", "0x0000002a"],
    ["boolean", "missing", "00000000", "missing"],
  ] as const;
  for (const [type, text, bytes, back] of cases) {
    test(`${type} ${text}`, () => {
      expect(parseValue(type, text).toHex()).toBe(bytes);
      expect(valueText(type, Uint8Array.fromHex(bytes))).toBe(back);
    });
  }
});

test("what is no such value is refused", () => {
  const wrong = [
    ["ifname", "sixteen-letters-"],
    ["ifname", ""],
    ["ifname", 'a"b'],
    ["ifname", "a b"],
    ["ipv4_addr", "1.2.3"],
    ["ipv4_addr", "1.2.3.256"],
    ["ipv4_addr", "1.2.3.04"],
    ["inet_service", "65536"],
    ["inet_service", "-1"],
    ["inet_proto", "256"],
    ["inet_proto", "gre?"],
    ["ct_state", "old"],
    ["mark", "-1"],
    ["verdict", "accept"],
  ] as const;
  for (const [type, text] of wrong) expect(() => parseValue(type, text), `${type} ${text}`).toThrow(RangeError);
});

test("a key of several fields is padded field by field, a key of one is not", () => {
  expect(keyLength(["inet_proto"])).toBe(1);
  expect(keyLength(["inet_proto", "inet_service"])).toBe(8);
  const key = encodeKey(["inet_proto", "inet_service"], ["tcp", "80"]);
  expect(key.toHex()).toBe("0600000000500000");
  expect(decodeKey(["inet_proto", "inet_service"], key)).toEqual(["tcp", "80"]);
  expect(() => encodeKey(["ifname", "ifname"], ["eth0"])).toThrow("a key of 2 fields got 1");
});

test("nft's number of a concatenation leads back to its fields", () => {
  expect(keyTypeId(["ifname", "ifname"])).toBe(0xa69);
  expect(keyFields(0xa69)).toEqual(["ifname", "ifname"]);
  expect(keyFields(63)).toBeUndefined();
  expect(keyFields(0)).toBeUndefined();
});

test("bytes that mean nothing here are told as numbers", () => {
  expect(valueText("ct_state", Uint8Array.of(0, 1, 0, 0))).toBe("0x100");
  expect(valueText("bytes", Uint8Array.of(1, 255))).toBe("0x01ff");
  expect(valueText("ipv4_addr", Uint8Array.of(172, 16))).toBe("172.16.0.0/16");
  expect(valueText("ifname", new TextEncoder().encode("veth"))).toBe('"veth*"');
});
