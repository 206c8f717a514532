import { expect, test } from "bun:test";
import { formatTable } from "./table.ts";

const headings = ["NAME", "DRIVER", "SUBNET"];

test("columns are as wide as their widest cell, with three blanks between and none at the end", () => {
  const rows = [["bridge", "bridge", "172.16.0.0/16"], ["n", "none", ""]];
  expect(formatTable({ headings, rows })).toBe(
    "NAME     DRIVER   SUBNET\nbridge   bridge   172.16.0.0/16\nn        none\n",
  );
});

test("a table without rows is its headings", () => {
  expect(formatTable({ headings, rows: [] })).toBe("NAME   DRIVER   SUBNET\n");
});

test("the widest cells are cut to fit the terminal", () => {
  const rows = [["a-very-long-name-for-a-network", "bridge", "172.16.0.0/16"]];
  const lines = formatTable({ headings, rows, width: 40 }).split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
  expect(lines[1]).toContain("\u2026");
});
