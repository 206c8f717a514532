import { describe, expect, test } from "bun:test";
import { nftLine } from "../explain/nft.ts";
import type { NftOperation } from "../kernel/nftables/operation.ts";
import {
  bridgeElements,
  dockerUserRules,
  makeFirewall,
  makeUserFirewall,
  ptpElements,
  rebuildFirewall,
  removeFirewall,
  resolverTable,
  routedElements,
  undo,
} from "./firewall_plan.ts";

const BRIDGE = { link: "skbr0", owner: "bridge", masquerade: true };

function lines(operations: readonly NftOperation[]): string[] {
  return operations.map(nftLine);
}

describe("the host's table", () => {
  test("is the same for every host, and begins with what only one of two starts can do", () => {
    expect(lines(makeFirewall())[0]).toBe(`nft create table inet skdocker '{ comment "skdocker rules 1" ; }'`);
    expect(lines(makeFirewall())).toEqual(lines(makeFirewall()));
  });

  test("decides what is forwarded in this order", () => {
    const prefix = "nft add rule inet skdocker forward ";
    const rules = lines(makeFirewall()).filter((line) => line.startsWith(prefix));
    expect(rules.map((line) => line.slice(prefix.length + 1, -1))).toEqual([
      "iifname . oifname @within accept",
      "iifname @ptp oifname @ptp accept",
      "iifname @networks fib saddr . iif oif missing drop",
      "iifname @networks ct state invalid drop",
      "iifname @networks tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu",
      "oifname @networks tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu",
      "iifname @networks oifname @networks drop",
      "oifname @networks ct state established,related accept",
      "oifname @networks drop",
      "iifname @routed drop",
    ]);
  });

  test("made anew is made after whatever was there is gone", () => {
    expect(lines(rebuildFirewall())).toEqual([...lines(removeFirewall()), ...lines(makeFirewall())]);
  });
});

describe("networks only add elements, each with its owner", () => {
  test("a bridge", () => {
    expect(lines(bridgeElements(BRIDGE))).toEqual([
      `nft add element inet skdocker networks '{ "skbr0" comment "bridge" }'`,
      `nft add element inet skdocker within '{ "skbr0" . "skbr0" comment "bridge" }'`,
      `nft add element inet skdocker masqueraded '{ "skbr0" comment "bridge" }'`,
    ]);
    expect(bridgeElements({ ...BRIDGE, masquerade: false })).toHaveLength(2);
  });

  test("a ptp pair", () => {
    expect(lines(ptpElements({ link: "veth1", owner: "c1", masquerade: false }))).toEqual([
      `nft add element inet skdocker networks '{ "veth1" comment "c1" }'`,
      `nft add element inet skdocker ptp '{ "veth1" comment "c1" }'`,
    ]);
  });

  test("an uplink, whose own ports are nobody's business where it is a bridge", () => {
    expect(routedElements({ link: "eth0", owner: "uplink", bridge: false })).toHaveLength(1);
    expect(lines(routedElements({ link: "br0", owner: "uplink", bridge: true }))[1])
      .toBe(`nft add element inet skdocker within '{ "br0" . "br0" comment "uplink" }'`);
  });
});

describe("what was made is taken back", () => {
  test("elements in reverse", () => {
    const undone = undo(bridgeElements(BRIDGE));
    expect(undone.map((operation) => operation.verb)).toEqual(["destroy", "destroy", "destroy"]);
    expect(lines(undone)[0]).toContain("delete element inet skdocker masqueraded");
    expect(lines(undone)[2]).toContain("delete element inet skdocker networks");
  });

  test("a table with all that is in it", () => {
    expect(lines(undo(makeFirewall()))).toEqual(lines(removeFirewall()));
  });
});

test("the user's table leaves the policy to the user", () => {
  expect(lines(makeUserFirewall())).toEqual([
    "nft create table inet skdocker-user",
    "nft add chain inet skdocker-user forward '{ type filter hook forward priority -5 ; }'",
  ]);
});

test("the resolver's table leads both protocols to their ports", () => {
  expect(lines(resolverTable({ udpPort: 4001, tcpPort: 4002 })).slice(2)).toEqual([
    "nft add rule ip skdocker output 'ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:4001'",
    "nft add rule ip skdocker output 'ip daddr 127.0.0.11 tcp dport 53 dnat to 127.0.0.11:4002'",
  ]);
});

test("dockerd's chain gets rules of nothing that iptables could not list", () => {
  expect(lines(dockerUserRules({ link: "skbr0", pairs: null }))).toEqual([
    `nft insert rule ip filter DOCKER-USER 'iifname "skbr0" counter accept comment "skdocker"'`,
    `nft insert rule ip filter DOCKER-USER 'oifname "skbr0" counter accept comment "skdocker"'`,
  ]);
});
