import { describe, expect, test } from "bun:test";
import type { SetDefinition } from "../kernel/nftables/set.ts";
import { linkIs, verdict } from "../kernel/nftables/statement.ts";
import { nftLine, nftWords } from "./nft.ts";

const SET: SetDefinition = { family: "inet", table: "t", name: "s", key: ["ifname"], data: ["verdict"] };

describe("an operation is one nft command", () => {
  test("whose words are quoted where sh would touch them", () => {
    expect(nftLine({ verb: "add", table: { family: "inet", name: "t" } })).toBe("nft add table inet t");
    expect(nftLine({ verb: "add", element: { set: SET, key: ["eth0"], data: { verdict: "drop" } } }))
      .toBe(`nft add element inet t s '{ "eth0" : drop }'`);
    expect(nftLine({ verb: "add", element: { set: SET, key: ["eth0"], comment: "it's $HOME" } }))
      .toBe(`nft add element inet t s '{ "eth0" comment "it'\\''s $HOME" }'`);
  });

  test("that says the rule and its comment", () => {
    const expressions = [...linkIs("oifname", "eth0"), ...verdict({ verdict: "jump", chain: "other" })];
    expect(nftWords({ verb: "insert", rule: { family: "ip", table: "t", chain: "c", expressions, comment: "mine" } }))
      .toEqual(["insert", "rule", "ip", "t", "c", 'oifname "eth0" jump other comment "mine"']);
    expect(nftLine({ verb: "delete", rule: { family: "ip", table: "t", chain: "c", handle: 7n } }))
      .toBe("nft delete rule ip t c handle 7");
  });

  test("that deletes without saying what is only said to make", () => {
    const element = { set: SET, key: ["eth0"], data: { verdict: "drop" }, comment: "mine" } as const;
    expect(nftLine({ verb: "delete", element })).toBe(`nft delete element inet t s '{ "eth0" }'`);
    expect(nftLine({ verb: "delete", set: SET })).toBe("nft delete map inet t s");
    expect(nftLine({ verb: "flush", table: { family: "inet", name: "t", comment: "c" } })).toBe(
      "nft flush table inet t",
    );
  });

  test("that destroys in one transaction, as no older nft has a word for it", () => {
    expect(nftLine({ verb: "destroy", table: { family: "ip", name: "t" } }))
      .toBe("nft 'add table ip t ; delete table ip t'");
  });
});
