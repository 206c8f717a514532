import { expect, test } from "bun:test";
import { formatFacts } from "./facts.ts";

test("facts are indented lines, empty ones left out", () => {
  const facts = { kernelVersion: "6.18", cgroup: { version: 2, made: true }, missing: ["a", "b"], none: "", no: null };
  expect(formatFacts(facts, 0)).toBe("Kernel Version: 6.18\nCgroup:\n Version: 2\n Made: true\nMissing: a b\n");
});

test("names that are no identifiers stay as they are, lists of facts are indented", () => {
  expect(formatFacts({ "nf_tables": true, links: [{ name: "eth0" }] }, 0)).toBe(
    "nf_tables: true\nLinks:\n Name: eth0\n",
  );
});
