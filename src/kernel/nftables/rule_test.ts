import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { goldenOperations } from "../../../tests/golden/nftables_operations.ts";
import { AttributeReader, AttributeWriter } from "../netlink/attributes.ts";
import { splitMessages } from "../netlink/message.ts";
import { readAttributes } from "../netlink/schema.ts";
import { CHAIN_ATTRIBUTES, readChain } from "./chain.ts";
import { ELEMENT_LIST_ATTRIBUTES, readElements } from "./element.ts";
import { type Expression, expressionsText, readExpressions, writeExpressions } from "./expression.ts";
import { familyName } from "./family.ts";
import { readRule, RULE_ATTRIBUTES, writeRule } from "./rule.ts";
import { readSet, SET_ATTRIBUTES, writeSet } from "./set.ts";
import { readTable, TABLE_ATTRIBUTES } from "./table.ts";

/** The messages that nft(8) sent, without their frames. */
function capturedMessages(): { type: number; body: Uint8Array }[] {
  const text = readFileSync(new URL("../../../tests/golden/nftables.txt", import.meta.url), "utf8");
  const blocks = text.split("\n$ ").slice(1).map((block) => block.split("\n").slice(1).join(""));
  return blocks.flatMap((hex) => splitMessages(Uint8Array.fromHex(hex))).filter(({ type }) => type >> 8 === 10);
}

/** Reads whatever a message is, by the number in its type. */
function decode({ type, body }: { type: number; body: Uint8Array }): unknown {
  const family = familyName(body[0] ?? 0) ?? "inet";
  const reader = new AttributeReader(body, { offset: 4 });
  switch (type & 0xff) {
    case 0:
      return readTable(readAttributes(reader, TABLE_ATTRIBUTES), family);
    case 3:
      return readChain(readAttributes(reader, CHAIN_ATTRIBUTES), family);
    case 6:
      return readRule(readAttributes(reader, RULE_ATTRIBUTES), family);
    case 9:
      return readSet(readAttributes(reader, SET_ATTRIBUTES), family);
    case 12: {
      const list = readAttributes(reader, ELEMENT_LIST_ATTRIBUTES).NFTA_SET_ELEM_LIST_ELEMENTS;
      return list && readElements(list, ["ifname", "ipv4_addr"]);
    }
    default:
      return undefined;
  }
}

describe("what nft(8) sent is read back as what was meant", () => {
  const sent = capturedMessages();
  const rules = goldenOperations().flatMap((operation) =>
    "rule" in operation && !("handle" in operation.rule) ? [operation.rule] : []
  );

  test("rules, as data and as text", () => {
    const read = sent.filter(({ type }) => type === 0x0a06).map(decode);
    expect(read).toEqual(rules.map((rule) => ({ ...rule, handle: 0n, expressions: expect.anything() })));
    const texts = (read as typeof rules).map(({ expressions, family }) => expressionsText(expressions, family));
    expect(texts).toEqual(rules.map(({ expressions, family }) => expressionsText(expressions, family)));
  });

  test("sets and chains", () => {
    const objects = goldenOperations().flatMap((operation) => {
      if (operation.verb !== "add" && operation.verb !== "create") return [];
      if ("set" in operation) return [operation.set];
      if (!("chain" in operation)) return [];
      const { base, ...chain } = operation.chain;
      return [base ? { ...chain, base: { ...base, policy: base.policy ?? "accept" } } : chain];
    });
    expect(sent.filter(({ type }) => type === 0x0a09 || type === 0x0a03).map(decode)).toEqual(objects);
  });
});

test("a rule written is read as the same", () => {
  for (const operation of goldenOperations()) {
    if (!("rule" in operation) || "handle" in operation.rule) continue;
    const writer = new AttributeWriter();
    writeRule(writer, operation.rule);
    const read = readRule(readAttributes(new AttributeReader(writer.bytes), RULE_ATTRIBUTES), operation.rule.family);
    expect(read).toEqual({ ...operation.rule, handle: 0n });
  }
});

test("a set written is read as the same", () => {
  for (const operation of goldenOperations()) {
    if (!("set" in operation)) continue;
    const writer = new AttributeWriter();
    writeSet(writer, operation.set, 1);
    expect(readSet(readAttributes(new AttributeReader(writer.bytes), SET_ATTRIBUTES), "inet")).toEqual(operation.set);
  }
});

describe("an expression that is not known", () => {
  /** The list [limit { 1: 5 }]. */
  const list = (() => {
    const writer = new AttributeWriter();
    writer.nested(1, () => {
      writer.string(1, "limit");
      writer.nested(2, () => writer.be64(1, 5n));
    });
    return writer.bytes;
  })();

  test("keeps its name", () => {
    expect(readExpressions(list)).toEqual([{ expr: "unknown", name: "limit" }]);
    expect(expressionsText(readExpressions(list), "ip")).toBe("(limit)");
  });

  test("cannot be sent", () => {
    expect(() => writeExpressions(new AttributeWriter(), 4, readExpressions(list))).toThrow(TypeError);
  });

  test("is what a known one becomes that lacks what it must have", () => {
    const writer = new AttributeWriter();
    writer.nested(1, () => {
      writer.string(1, "cmp");
      writer.nested(2, () => writer.be32(1, 1));
    });
    expect(readExpressions(writer.bytes)).toEqual([{ expr: "unknown", name: "cmp" }]);
  });

  test("never is one of Object's own names", () => {
    const writer = new AttributeWriter();
    writer.nested(1, () => writer.string(1, "constructor"));
    expect(readExpressions(writer.bytes)).toEqual([{ expr: "unknown", name: "constructor" }]);
  });
});

test("a range compares one register twice", () => {
  const port = { expr: "payload", dreg: 1, base: 2, offset: 2, len: 2 } satisfies Expression;
  const rule: Expression[] = [
    { expr: "meta", key: 16, dreg: 1 },
    { expr: "cmp", sreg: 1, op: 0, data: Uint8Array.of(6) },
    port,
    { expr: "cmp", sreg: 1, op: 5, data: Uint8Array.of(0, 1) },
    { expr: "cmp", sreg: 1, op: 3, data: Uint8Array.of(0, 5) },
  ];
  expect(expressionsText(rule, "inet")).toBe("tcp dport >= 1 tcp dport <= 5");
});

test("bytes that are damaged are read or refused with a RangeError, nothing else", () => {
  const messages = capturedMessages();
  let random = 20240229; // a fixed seed: what fails once fails again
  const next = (below: number) => {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    return (random >>> 8) % below;
  };
  let refused = 0;
  for (let round = 0; round < 4000; round++) {
    const message = messages[next(messages.length)] as { type: number; body: Uint8Array }; // there are some
    const body = message.body.slice(0, 4 + next(message.body.length - 3));
    for (let flips = next(4); flips > 0 && body.length > 0; flips--) body[next(body.length)] = next(256);
    try {
      const read = decode({ type: message.type, body }) as { expressions?: readonly Expression[] } | undefined;
      if (read?.expressions) expressionsText(read.expressions, "inet");
    } catch (error) {
      refused++;
      expect(error).toBeInstanceOf(RangeError);
    }
  }
  expect(refused).toBeGreaterThan(100);
});
