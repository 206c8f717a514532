import { expect, test } from "bun:test";
import { environmentOf, executablePaths } from "./environment.ts";

const facts = { hostname: "box", terminal: false, home: "/root" };
const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

test("the defaults are docker's", () => {
  expect(environmentOf({ ...facts, asked: new Map() })).toEqual([PATH, "HOSTNAME=box", "HOME=/root"]);
  expect(environmentOf({ ...facts, terminal: true, asked: new Map() })).toContain("TERM=xterm");
});

test("what is asked for goes before every default", () => {
  const asked = new Map([["HOME", "/else"], ["PATH", "/p"], ["TERM", "dumb"], ["A", "b=c"]]);
  expect(environmentOf({ ...facts, terminal: true, asked })).toEqual([
    "PATH=/p",
    "HOSTNAME=box",
    "TERM=dumb",
    "HOME=/else",
    "A=b=c",
  ]);
});

test("a variable that the caller doesn't have takes the default away, but for HOME, which whoever runs it sets", () => {
  const asked = new Map([["HOSTNAME", null], ["PATH", null], ["HOME", null], ["A", null]]);
  expect(environmentOf({ ...facts, asked })).toEqual(["HOME=/root"]);
});

test("a command with a slash is looked for nowhere else", () => {
  expect(executablePaths("./run", [PATH])).toEqual(["./run"]);
});

test("a command without one is looked for along PATH, whose empty parts mean the working directory", () => {
  expect(executablePaths("x", ["PATH=/a::/b"])).toEqual(["/a/x", "./x", "/b/x"]);
  expect(executablePaths("x", [])[0]).toBe("/usr/local/sbin/x");
});
