import { expect, test } from "bun:test";
import { decode, encode as encodeBuffer, type Packet } from "dns-packet";
import {
  errorAnswer,
  fitAnswer,
  idOf,
  isAnswerTo,
  judgeQuery,
  questionEnd,
  RCODE,
  rcodeOf,
  setId,
  udpSizeOf,
} from "./resolver_message.ts";

const RD = 0x100;

/** As bytes of its own: a Buffer's slices share its memory. */
function encode(packet: Packet): Uint8Array {
  return Uint8Array.from(encodeBuffer(packet));
}

function query(name = "www.Example.org", type: "A" | "AXFR" | "IXFR" | "TXT" = "A"): Uint8Array {
  return encode({ type: "query", id: 4711, flags: RD, questions: [{ name, type }] });
}

function answer(name: string, data = "10.0.0.1"): Uint8Array {
  return encode({
    type: "response",
    id: 4711,
    flags: RD,
    questions: [{ name, type: "A" }],
    answers: [{ name, type: "A", ttl: 5, data }],
  });
}

test("a query is forwarded, and its question ends where another encoder ends it", () => {
  const message = query();
  expect(judgeQuery(message)).toEqual({ kind: "forward", end: message.length });
});

test("answers and messages without a header are not answered", () => {
  expect(judgeQuery(answer("www.example.org")).kind).toBe("drop");
  for (let size = 0; size < 12; size++) expect(judgeQuery(query().slice(0, size)).kind).toBe("drop");
});

test("a message without exactly one whole question is a format error", () => {
  const none = query();
  none[5] = 0;
  const two = query();
  two[5] = 2;
  const pointer = query();
  pointer[12] = 0xc0;
  for (const message of [none, two, pointer, query().slice(0, -1), query().slice(0, 14)]) {
    expect(judgeQuery(message)).toEqual({ kind: "refuse", rcode: RCODE.FORMERR });
  }
});

test("a name of 255 octets is a name, one more is none", () => {
  const label = "a".repeat(63);
  const longest = `${label}.${label}.${label}.${"a".repeat(61)}`;
  expect(questionEnd(query(longest))).toBe(12 + 255 + 4);
  const longer = Uint8Array.of(...query(longest).slice(0, -5), 1, 97, 0, 0, 1, 0, 1);
  expect(questionEnd(longer)).toBeNull();
});

test("zone transfers and other opcodes are not implemented", () => {
  const notify = query();
  notify[2] = 4 << 3;
  for (const message of [query("example.org", "AXFR"), query("example.org", "IXFR"), notify]) {
    expect(judgeQuery(message)).toEqual({ kind: "refuse", rcode: RCODE.NOTIMP });
  }
});

test("an answer must have the id and the question; letters' case may differ", () => {
  const asked = query();
  const end = asked.length;
  expect(isAnswerTo(answer("www.Example.org"), asked, end)).toBeTrue();
  expect(isAnswerTo(answer("WWW.example.org"), asked, end)).toBeTrue();
  expect(isAnswerTo(answer("www.example.com"), asked, end)).toBeFalse();
  expect(isAnswerTo(answer("www.example.org").slice(0, end - 1), asked, end)).toBeFalse();
  expect(isAnswerTo(asked, asked, end)).toBeFalse();
  const other = answer("www.Example.org");
  setId(other, 4712);
  expect(isAnswerTo(other, asked, end)).toBeFalse();
  const type = answer("www.Example.org");
  type[end - 3] = 28; // AAAA
  expect(isAnswerTo(type, asked, end)).toBeFalse();
});

test("a refusal without the question is an answer, a success without it is none", () => {
  const bare = encode({ type: "response", id: 4711, flags: RCODE.FORMERR });
  expect(isAnswerTo(bare, query(), query().length)).toBeTrue();
  expect(isAnswerTo(encode({ type: "response", id: 4711 }), query(), query().length)).toBeFalse();
});

test("an error answer has the client's id and question, and no records", () => {
  const message = decode(Buffer.from(errorAnswer(query(), RCODE.SERVFAIL)));
  expect(message).toMatchObject({ id: 4711, type: "response", rcode: "SERVFAIL", flag_rd: true, flag_ra: true });
  expect(message.questions).toEqual([{ name: "www.Example.org", type: "A", class: "IN" }]);
  expect(message.answers).toEqual([]);
  const unreadable = errorAnswer(query().slice(0, 14), RCODE.FORMERR);
  expect(decode(Buffer.from(unreadable))).toMatchObject({ rcode: "FORMERR", questions: [] });
});

test("an answer that is too long for the client is cut to its question and marked", () => {
  const long = answer("www.example.org");
  expect(fitAnswer(long, long.length)).toBe(long);
  const cut = decode(Buffer.from(fitAnswer(long, long.length - 1)));
  expect(cut).toMatchObject({ id: 4711, flag_tc: true, answers: [] });
  expect(cut.questions).toHaveLength(1);
});

test("EDNS says how much the client takes, at least 512", () => {
  const plain = query();
  expect(udpSizeOf(plain, plain.length)).toBe(512);
  for (const [said, meant] of [[1232, 1232], [100, 512], [65535, 65535]] as const) {
    const message = encode({
      type: "query",
      id: 1,
      questions: [{ name: "a.b", type: "A" }],
      additionals: [{
        type: "OPT",
        name: ".",
        udpPayloadSize: said,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      }],
    });
    const end = questionEnd(message);
    expect(end).not.toBeNull();
    expect(udpSizeOf(message, end ?? 0)).toBe(meant);
  }
});

test("an id is 16 bits, the high ones first", () => {
  const message = query();
  setId(message, 0xbeef);
  expect([message[0], message[1]]).toEqual([0xbe, 0xef]);
  expect(idOf(message)).toBe(0xbeef);
});

test("no bytes whatever make it throw or read beyond the end", () => {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647);
  for (let round = 0; round < 20_000; round++) {
    const message = round % 2 ? query("a.b.c", "TXT") : new Uint8Array(random() % 80);
    for (let flips = random() % 8; flips > 0; flips--) message[random() % Math.max(1, message.length)] = random();
    const verdict = judgeQuery(message);
    if (message.length < 12) continue;
    const error = errorAnswer(message, RCODE.SERVFAIL);
    expect(rcodeOf(error) === RCODE.SERVFAIL && error.length <= message.length).toBeTrue();
    expect(fitAnswer(message, 11).length).toBeLessThanOrEqual(message.length);
    if (verdict.kind !== "forward") continue;
    expect(verdict.end).toBeLessThanOrEqual(message.length);
    expect(udpSizeOf(message, verdict.end)).toBeGreaterThanOrEqual(512);
    expect(isAnswerTo(message, message, verdict.end)).toBeFalse();
  }
});
