import { expect, test } from "bun:test";
import { formatIp, formatIpNetwork, parseIp } from "./ip_address.ts";
import { formatIpv6, ipv6Bytes, parseIpv6 } from "./ipv6.ts";

// RFC 5952, section 4, and RFC 4291, section 2.2
const SPELLINGS: Record<string, string> = {
  "::": "::",
  "::1": "::1",
  "1::": "1::",
  "2001:0DB8::0001": "2001:db8::1",
  "2001:db8:0:0:0:0:2:1": "2001:db8::2:1",
  "2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1",
  "2001:0:0:1:0:0:0:1": "2001:0:0:1::1",
  "2001:db8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
  "1:2:3:4:5:6:7::": "1:2:3:4:5:6:7:0",
  "::ffff:192.0.2.1": "::ffff:c000:201",
  "fe80::53:ff:fe00:2": "fe80::53:ff:fe00:2",
};

for (const [text, spelling] of Object.entries(SPELLINGS)) {
  test(`${text} is spelled ${spelling}`, () => {
    expect<string>(parseIpv6(text)).toBe(spelling);
    expect<string>(formatIpv6(ipv6Bytes(spelling))).toBe(spelling);
  });
}

for (
  const text of [
    "",
    ":",
    ":::",
    "1:2:3",
    "1::2::3",
    "1:2:3:4:5:6:7:8:9",
    "g::",
    "12345::",
    "::1%eth0",
    "1.2.3.4::",
    "::256.1.1.1",
    "1:2:3:4:5:6:7:8::",
  ]
) {
  test(`${JSON.stringify(text)} is not an address`, () => {
    expect(() => parseIpv6(text)).toThrow(`${JSON.stringify(text)} is not an IPv6 address`);
  });
}

test("an address of either family is read and written", () => {
  expect(formatIp(parseIp("10.0.0.1"))).toBe("10.0.0.1");
  expect(formatIpNetwork({ address: parseIp("FD00::1"), prefix: 64 })).toBe("fd00::1/64");
});

test("bytes of another length are no address", () => {
  expect(() => formatIpv6(new Uint8Array(4))).toThrow("an IPv6 address has 16 bytes, not 4");
});
