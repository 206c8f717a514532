import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { goldenOperations } from "../../../tests/golden/nftables_operations.ts";
import { nftLine } from "../../explain/nft.ts";
import { splitMessages } from "../netlink/message.ts";
import { encodeBatch } from "./batch.ts";

const NLM_F_ACK = 4;
const NEWSETELEM = 0x0a0c;
const DELSETELEM = 0x0a0e;
const NFT_MSG_NEWSET = 0x0a09;
const NEWRULE = 0x0a06;

interface Golden {
  readonly line: string;
  readonly bytes: Uint8Array;
}

/** `$ nft …`, followed by lines of hex. */
function goldens(): Golden[] {
  const text = readFileSync(new URL("../../../tests/golden/nftables.txt", import.meta.url), "utf8");
  return text.split("\n$ ").slice(1).map((block) => {
    const [line = "", ...hex] = block.split("\n");
    return { line, bytes: Uint8Array.fromHex(hex.join("")) };
  });
}

interface Attribute {
  readonly type: number;
  readonly value: string | Attribute[];
}

/** Attributes as a tree, read without the code under test; the nested flag tells what has attributes inside. */
function attributes(bytes: Uint8Array, offset: number): Attribute[] {
  const list: Attribute[] = [];
  for (let at = offset; at < bytes.length;) {
    const length = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    const type = (bytes[at + 2] ?? 0) | ((bytes[at + 3] ?? 0) << 8);
    const payload = bytes.subarray(at + 4, at + length);
    list.push({ type, value: type & 0x8000 ? attributes(payload, 0) : payload.toHex() });
    at += (length + 3) & ~3;
  }
  return list;
}

/**
 * A batch as messages: type, flags and attributes. Left out are the sequence numbers, the acknowledgement that
 * only we ask for, and the numbers of sets: nft repeats a set's number where the set is named as well, and the
 * kernel looks at it only where the name is not found.
 */
function normalised(bytes: Uint8Array): unknown[] {
  return splitMessages(bytes).map(({ type, flags, body }) => {
    const header = body.subarray(0, 4).toHex();
    let tree = attributes(body, 4);
    if (type === NEWSETELEM || type === DELSETELEM) tree = tree.filter((attribute) => attribute.type !== 4);
    if (type === NEWSETELEM || type === DELSETELEM) tree = tree.map(withoutNumbers);
    if (type === NFT_MSG_NEWSET) tree = tree.filter((attribute) => attribute.type !== 10);
    if (type === NEWRULE) tree = tree.map(withoutSetNumbers);
    return { type, flags: flags & ~NLM_F_ACK, header, tree };
  });
}

/** nft numbers the elements of a list; the kernel looks at their order only. */
function withoutNumbers(attribute: Attribute): Attribute {
  if (attribute.type !== (0x8000 | 3) || typeof attribute.value === "string") return attribute;
  return { ...attribute, value: attribute.value.map((element) => ({ ...element, type: 1 })) };
}

const LOOKUP = "6c6f6f6b757000";

function withoutSetNumbers(attribute: Attribute): Attribute {
  if (typeof attribute.value === "string") return attribute;
  const [name, data] = attribute.value;
  if (name?.value === LOOKUP && data && typeof data.value !== "string") {
    return { ...attribute, value: [name, { ...data, value: data.value.filter(({ type }) => type !== 4) }] };
  }
  return { ...attribute, value: attribute.value.map(withoutSetNumbers) };
}

describe("a batch is what nft(8) sends", () => {
  const operations = goldenOperations();
  const captured = goldens();

  test("for every line there is an operation", () => {
    expect(operations.map(nftLine)).toEqual(captured.map(({ line }) => line));
  });

  operations.forEach((operation, index) => {
    const golden = captured[index];
    test(golden?.line ?? "nothing was captured", () => {
      const { bytes } = encodeBatch([operation], () => 0);
      expect(normalised(bytes)).toEqual(normalised(golden?.bytes ?? new Uint8Array()));
    });
  });
});

test("only the last operation of a batch asks for an acknowledgement", () => {
  const { bytes, operationOf } = encodeBatch(goldenOperations(), () => 7);
  const messages = splitMessages(bytes);
  expect(messages.map(({ sequence }) => sequence)).toEqual(messages.map((_, index) => 7 + index));
  expect(messages.flatMap(({ flags }, index) => (flags & NLM_F_ACK ? [index] : []))).toEqual([operationOf.length]);
});

test("each message knows its operation, also where an operation is two messages", () => {
  const table = { family: "ip", name: "t" } as const;
  const { operationOf } = encodeBatch([{ verb: "destroy", table }, { verb: "create", table }], () => 1);
  expect(operationOf).toEqual([0, 0, 1]);
});
