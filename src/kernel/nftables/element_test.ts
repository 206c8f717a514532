import { describe, expect, test } from "bun:test";
import { AttributeReader, AttributeWriter } from "../netlink/attributes.ts";
import { readAttributes } from "../netlink/schema.ts";
import { type DumpedElement, type Element, ELEMENT_LIST_ATTRIBUTES, readElements, writeElement } from "./element.ts";
import type { SetDefinition } from "./set.ts";

const SET: SetDefinition = { family: "inet", table: "t", name: "s", key: ["ipv4_addr"] };
const RANGES: SetDefinition = { ...SET, interval: true };
const BY_LINK: SetDefinition = { ...RANGES, key: ["ifname", "ipv4_addr"] };
const PORTS: SetDefinition = { ...SET, key: ["inet_proto", "inet_service"], data: ["ipv4_addr", "inet_service"] };
const VERDICTS: SetDefinition = { ...SET, key: ["ifname"], data: ["verdict"] };

function roundTrip(element: Element): DumpedElement[] {
  const writer = new AttributeWriter();
  writeElement(writer, element);
  const values = readAttributes(new AttributeReader(writer.bytes), ELEMENT_LIST_ATTRIBUTES);
  return readElements(values.NFTA_SET_ELEM_LIST_ELEMENTS ?? new Uint8Array(), element.set.key);
}

describe("an element written is read as the same", () => {
  test("with its comment", () => {
    expect(roundTrip({ set: SET, key: ["10.0.0.1"], comment: "c1" })).toMatchObject([{
      key: ["10.0.0.1"],
      comment: "c1",
    }]);
  });

  test("in a map", () => {
    const [read] = roundTrip({ set: PORTS, key: ["tcp", "80"], data: ["10.0.0.1", "8080"] });
    expect(read).toMatchObject({ key: ["tcp", "80"], data: { value: Uint8Array.fromHex("0a0000011f900000") } });
  });

  test("in a verdict map", () => {
    const data = { verdict: "goto", chain: "other" } as const;
    expect(roundTrip({ set: VERDICTS, key: ["eth0"], data })).toMatchObject([{ key: ["eth0"], data }]);
  });
});

describe("a range", () => {
  const ends = (key: string) =>
    roundTrip({ set: RANGES, key: [key] }).map(({ key: [text], intervalEnd }) =>
      `${intervalEnd ? "until " : ""}${text}`
    );

  test("is a beginning and an end, behind an end at zero", () => {
    expect(ends("172.16.0.0/16")).toEqual(["until 0.0.0.0", "172.16.0.0", "until 172.17.0.0"]);
    expect(ends("10.0.0.5-10.0.0.9")).toEqual(["until 0.0.0.0", "10.0.0.5", "until 10.0.0.10"]);
    expect(ends("10.0.0.5")).toEqual(["until 0.0.0.0", "10.0.0.5", "until 10.0.0.6"]);
  });

  test("stays open at the top of all, and needs nothing before the bottom", () => {
    expect(ends("240.0.0.0/4")).toEqual(["until 0.0.0.0", "240.0.0.0"]);
    expect(ends("0.0.0.0/8")).toEqual(["0.0.0.0", "until 1.0.0.0"]);
    expect(ends("0.0.0.0/0")).toEqual(["0.0.0.0"]);
  });

  test("of a concatenation is one element, and a dash in a link's name is no range", () => {
    expect(roundTrip({ set: BY_LINK, key: ["my-link", "10.0.0.0/30"] })).toMatchObject([
      { key: ["my-link", "10.0.0.0-10.0.0.3"] },
    ]);
  });

  test("that is none is refused", () => {
    for (const key of ["172.16.0.1/16", "172.16.0.0/33", "172.16.0.0/", "a-b"]) {
      expect(() => ends(key), key).toThrow(RangeError);
    }
  });
});
