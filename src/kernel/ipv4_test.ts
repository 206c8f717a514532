import { expect, test } from "bun:test";
import {
  contains,
  firstAddress,
  formatIpv4,
  formatIpv4Network,
  ipv4FromNumber,
  ipv4Mask,
  lastAddress,
  overlaps,
  parseIpv4,
  parseIpv4Network,
} from "./ipv4.ts";

test("dotted text is read and written", () => {
  expect(parseIpv4("172.16.0.1")).toBe(ipv4FromNumber(0xac100001));
  for (const text of ["0.0.0.0", "255.255.255.255", "10.0.200.9", "127.0.0.1"]) {
    expect(formatIpv4(parseIpv4(text))).toBe(text);
  }
});

for (
  const text of ["", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "256.1.1.1", "1.2.3.04", "00.1.1.1", "1.2.3.x"]
    .concat("1.2.3.4 ", "1.2.3.-4", "0x7f.0.0.1", "1.2.3.1000")
) {
  test(`${JSON.stringify(text)} is not an address`, () => {
    expect(() => parseIpv4(text)).toThrow(`${JSON.stringify(text)} is not an IPv4 address`);
  });
}

test("numbers that are no address are refused", () => {
  for (const value of [-1, 2 ** 32, 1.5, NaN]) expect(() => ipv4FromNumber(value)).toThrow(RangeError);
});

test("networks keep their host bits when read and written", () => {
  for (const text of ["172.16.0.1/16", "0.0.0.0/0", "10.1.2.3/32"]) {
    expect(formatIpv4Network(parseIpv4Network(text))).toBe(text);
  }
  for (
    const text of ["172.16.0.0", "172.16.0.0/", "172.16.0.0/33", "172.16.0.0/-1", "172.16.0.0/1e1", "172.16.0.0/08"]
  ) {
    expect(() => parseIpv4Network(text)).toThrow(RangeError);
  }
});

test("a network begins and ends where its prefix says", () => {
  const bounds = (text: string) => {
    const network = parseIpv4Network(text);
    return `${formatIpv4(firstAddress(network))} ${formatIpv4(lastAddress(network))}`;
  };
  expect(bounds("172.16.5.9/16")).toBe("172.16.0.0 172.16.255.255");
  expect(bounds("10.0.0.1/32")).toBe("10.0.0.1 10.0.0.1");
  expect(bounds("10.0.0.1/0")).toBe("0.0.0.0 255.255.255.255");
  expect(formatIpv4(ipv4Mask(17))).toBe("255.255.128.0");
});

test("networks contain addresses and overlap one another", () => {
  const network = parseIpv4Network("172.16.0.1/16");
  expect(contains(network, parseIpv4("172.16.255.255"))).toBe(true);
  expect(contains(network, parseIpv4("172.17.0.0"))).toBe(false);
  expect(contains(parseIpv4Network("0.0.0.0/0"), parseIpv4("255.1.1.1"))).toBe(true);
  expect(overlaps(network, parseIpv4Network("172.16.9.0/24"))).toBe(true);
  expect(overlaps(parseIpv4Network("172.16.9.0/24"), network)).toBe(true);
  expect(overlaps(network, parseIpv4Network("172.17.0.0/16"))).toBe(false);
  expect(overlaps(network, parseIpv4Network("128.0.0.0/1"))).toBe(true);
});
