import { expect, test } from "bun:test";
import { ANSWERS, REQUESTS } from "../../../tests/golden/netlink_ip.ts";
import { formatIp } from "../ip_address.ts";
import { parseMac } from "../mac.ts";
import { readAddressNotification } from "./address.ts";
import { type Link, readLinkNotification } from "./link.ts";
import { LINK } from "./link_message.ts";
import { type RawMessage, readAcknowledgement, readMessage, splitMessages } from "./message.ts";
import { readNeighbourNotification } from "./neighbour.ts";
import { readNetconfNotification } from "./netconf.ts";
import { readRouteNotification } from "./route.ts";
import { nested, readAttributes } from "./schema.ts";
import { AttributeReader } from "./attributes.ts";

function message(hex: string): RawMessage {
  const [first, ...rest] = splitMessages(Uint8Array.fromHex(hex));
  if (first === undefined || rest.length > 0) throw new Error("not one message");
  return first;
}

test("a bridge's port is read from what ip(8) hears", () => {
  const heard = readLinkNotification(message(ANSWERS.link));
  const link: Partial<Link> = {
    index: 4,
    name: "veth0",
    up: true,
    lowerUp: true,
    mtu: 1400,
    address: parseMac("02:53:00:00:00:02"),
    master: 2,
    alias: "web",
    kind: "veth",
    operstate: "up",
    group: 0,
    peer: 3,
    linkNetnsId: undefined,
    port: { state: "forwarding", hairpin: true, isolated: true },
  };
  expect(heard?.removed).toBe(false);
  expect(heard?.link).toMatchObject(link);
  expect(heard?.link.ipv4).toMatchObject({ forwarding: 1, route_localnet: 0 });
  expect(heard?.link.ipv6).toMatchObject({ accept_ra: 0, disable_ipv6: 0, forwarding: 0 });
});

test("a route is read from what ip(8) hears", () => {
  const route = readRouteNotification(message(ANSWERS.route))?.route;
  expect(route).toMatchObject({ family: "ipv4", table: 254, type: "unicast", link: 3, hops: [] });
  expect(route?.gateway === undefined ? "" : formatIp(route.gateway)).toBe("172.16.0.1");
  expect(route?.source === undefined ? "" : formatIp(route.source)).toBe("172.16.0.2");
});

test("a refusal tells the kernel's sentence, behind the whole refused request", () => {
  expect(readAcknowledgement(message(ANSWERS.refusal))).toEqual({
    errno: 101,
    text: "Nexthop has invalid gateway",
    offset: undefined,
    missing: undefined,
  });
});

test("an acknowledgement has errno 0", () => {
  const acknowledged = "2400000002000001" + "00".repeat(8) + "00000000" + "20000000100005000100000000000000";
  expect(readAcknowledgement(message(acknowledged)).errno).toBe(0);
});

test("what a notification is about is told from what it is not", () => {
  const address = message(REQUESTS.address);
  expect(readAddressNotification(address)?.address).toMatchObject({ prefix: 16, link: 4, scope: "global" });
  expect(readAddressNotification(message(REQUESTS.del_address))?.removed).toBe(true);
  expect(readNeighbourNotification(message(REQUESTS.neighbour))?.neighbour.state).toBe("reachable");
  expect(readLinkNotification(address)).toBeUndefined();
  expect(readRouteNotification(address)).toBeUndefined();
  expect(readNeighbourNotification(address)).toBeUndefined();
  expect(readNetconfNotification(address)).toBeUndefined();
});

test("a forwarding setting's change names its link, or all of them", () => {
  const netconf = (index: string) =>
    "24000000500000000000000000000000" + "02000000" + `08000100${index}` + "0800020001000000";
  expect(readNetconfNotification(message(netconf("07000000")))).toEqual({
    family: "ipv4",
    link: 7,
    forwarding: true,
    rpFilter: undefined,
  });
  expect(readNetconfNotification(message(netconf("ffffffff")))?.link).toBe("all");
  expect(readNetconfNotification(message(netconf("feffffff")))?.link).toBe("default");
});

test("attributes not in the table are skipped, or kept when asked for", () => {
  const table = { KNOWN: [1, "u8"], INNER: [2, nested({ DEEP: [1, "u8"] })] } as const;
  const bytes = Uint8Array.fromHex("0500010007000000" + "0500090008000000" + "0c0002000500050001000000");
  expect(readAttributes(new AttributeReader(bytes), table)).toEqual({ KNOWN: 7, INNER: {} });
  const all: unknown = readAttributes(new AttributeReader(bytes), table, { keepUnknown: true });
  expect(all).toEqual({ KNOWN: 7, "#9": Uint8Array.of(8), INNER: { "#5": Uint8Array.of(1) } });
});

test("an attribute of a wrong length is named", () => {
  const bytes = Uint8Array.fromHex(REQUESTS.veth);
  bytes[44] = 6; // IFLA_MTU's length
  expect(() => readMessage(LINK, message(bytes.toHex()))).toThrow("attribute 4 (IFLA_MTU) is not a u32: length 2");
});

/**
 * Bytes that once led a decoder astray, or nearly did: a hop, a body and a header that end too early, nothing behind a
 * header, a link kind that is the name of something every object has.
 */
const CORPUS = [
  "3c000000100000000000000000000000" + "00".repeat(16) + "1c001200" + "0f000100636f6e7374727563746f7200" +
  "08000200040001000000",
  "2800000018000000000000000000000002000000fe0000010000000008000900040000000000000000000000",
  "3400000010000000000000000000000000000000000000000000000000000000140012000900010076657468000000000500020001",
  "140000001000000000000000000000000000000000",
  "100000001400000000000000000000001000000014000000",
];

test("no bytes make a decoder do anything but answer or throw a RangeError", () => {
  const seeds = [...Object.values(ANSWERS), ...Object.values(REQUESTS)];
  for (const hex of [...CORPUS, ...seeds]) decodeAll(Uint8Array.fromHex(hex));
  let state = 20_240_601;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.fromHex(seeds[random(seeds.length)] ?? "");
    for (let flips = 1 + random(4); flips > 0; flips--) bytes[16 + random(bytes.length - 16)] = random(256);
    decodeAll(bytes.subarray(0, random(4) === 0 ? random(bytes.length) : bytes.length));
  }
});

function decodeAll(bytes: Uint8Array): void {
  try {
    for (const raw of splitMessages(bytes)) {
      readLinkNotification(raw);
      readAddressNotification(raw);
      readRouteNotification(raw);
      readNeighbourNotification(raw);
      readNetconfNotification(raw);
      readAcknowledgement(raw);
      readMessage(LINK, raw, { keepUnknown: true });
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw new Error(`${bytes.toHex()} makes ${error}`, { cause: error });
  }
}
