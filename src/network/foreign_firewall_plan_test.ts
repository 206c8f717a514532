import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { ForwardTable } from "../kernel/nftables/forward_rules.ts";
import { foreignForwardDrops, legacyForwardDrop } from "./foreign_firewall_plan.ts";

/** A rule set of tests/fixtures, whose README tells how it was made. */
function fixture(name: string): ForwardTable[] {
  const text = readFileSync(new URL(`../../tests/fixtures/forward_${name}.json`, import.meta.url), "utf8");
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== "object" || value === null) return value;
    if ("hex" in value && typeof value.hex === "string") return Uint8Array.fromHex(value.hex);
    return "bigint" in value && typeof value.bigint === "string" ? BigInt(value.bigint) : value;
  }) as ForwardTable[];
}

const OURS = { link: "skbr0" };
const ACCEPT_BOTH = "-i skbr0 -j ACCEPT; ";

describe("another firewall's drop is found, with its remedy", () => {
  test("iptables -P FORWARD DROP", () => {
    expect(foreignForwardDrops(fixture("iptables"), OURS)).toEqual([{
      family: "ip",
      table: "filter",
      chain: "FORWARD",
      reason: "by its policy",
      remedy: "iptables -I FORWARD -i skbr0 -j ACCEPT; " +
        "iptables -I FORWARD -o skbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      docker: false,
    }]);
  });

  test("dockerd's, which skdocker mends itself in DOCKER-USER", () => {
    const [drop, ...more] = foreignForwardDrops(fixture("docker"), OURS);
    expect(more).toEqual([]);
    expect(drop).toMatchObject({ chain: "FORWARD", docker: true });
    expect(drop?.remedy).toContain(`iptables -I DOCKER-USER ${ACCEPT_BOTH}`);
  });

  test("ufw's", () => {
    expect(foreignForwardDrops(fixture("ufw"), OURS)).toMatchObject([
      { table: "filter", chain: "FORWARD", reason: "by its policy", remedy: "ufw route allow in on skbr0" },
    ]);
  });

  test("firewalld's, which rejects by its last rule", () => {
    expect(foreignForwardDrops(fixture("firewalld"), OURS)).toMatchObject([{
      family: "inet",
      table: "firewalld",
      chain: "filter_FORWARD",
      reason: 'by its rule "reject"',
      remedy: "firewall-cmd --zone=trusted --add-interface=skbr0; " +
        "firewall-cmd --zone=trusted --add-interface=skbr0 --permanent",
    }]);
  });
});

describe("where the remedy was taken, nothing drops", () => {
  for (const name of ["ufw_allowed", "docker_user", "firewalld_trusted"]) {
    test(name, () => expect(foreignForwardDrops(fixture(name), OURS)).toEqual([]));
    test(`${name}, but for another link`, () => {
      expect(foreignForwardDrops(fixture(name), { link: "skbr1" })).toHaveLength(1);
    });
  }

  test("a rule by address counts for the addresses it names", () => {
    const tables = fixture("iptables_by_address");
    expect(foreignForwardDrops(tables, { ...OURS, address: "172.16.0.2" })).toEqual([]);
    expect(foreignForwardDrops(tables, { ...OURS, address: "10.89.0.2" })).toHaveLength(1);
    // Without an address it cannot be told, and a drop that is possible is said.
    expect(foreignForwardDrops(tables, OURS)).toHaveLength(1);
  });
});

test("a chain with the policy accept drops nothing", () => {
  const [table] = fixture("iptables");
  const open = table && {
    ...table,
    chains: table.chains.map((chain) =>
      chain.base ? { ...chain, base: { ...chain.base, policy: "accept" as const } } : chain
    ),
  };
  expect(foreignForwardDrops(open ? [open] : [], OURS)).toEqual([]);
});

describe("iptables-legacy", () => {
  const dropping = { policy: "drop", dropsRest: false, accepts: [], chains: [] } as const;

  test("drops by its policy", () => {
    expect(legacyForwardDrop(dropping, OURS)).toMatchObject({
      reason: "by its policy (iptables-legacy)",
      docker: false,
    });
  });

  test("has the chain of dockerd named where there is one", () => {
    const remedy = legacyForwardDrop({ ...dropping, chains: ["DOCKER-USER"] }, OURS)?.remedy;
    expect(remedy).toStartWith("iptables-legacy -I DOCKER-USER -i skbr0 -j ACCEPT");
  });

  test("is content with a rule that accepts our link, with its policy accept, and with not being there", () => {
    expect(legacyForwardDrop({ ...dropping, accepts: ["skbr0"] }, OURS)).toBeUndefined();
    expect(legacyForwardDrop({ ...dropping, accepts: ["sk+"] }, OURS)).toBeUndefined();
    expect(legacyForwardDrop({ ...dropping, accepts: ["skbr1"] }, OURS)).toBeDefined();
    expect(legacyForwardDrop({ ...dropping, policy: "accept", dropsRest: true }, OURS)?.reason)
      .toBe("by one of its rules (iptables-legacy)");
    expect(legacyForwardDrop({ ...dropping, policy: "accept" }, OURS)).toBeUndefined();
    expect(legacyForwardDrop(undefined, OURS)).toBeUndefined();
  });
});
