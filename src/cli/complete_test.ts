import { expect, test } from "bun:test";
import { loadAllCommands } from "./commands.ts";
import { complete } from "./complete.ts";

const commands = await loadAllCommands();
const words = (...line: string[]) => complete(line, commands).candidates.map(({ word }) => word);
const paths = (...line: string[]) => complete(line, commands).paths;

test("the first word is a command, busybox or a directory", () => {
  expect(words("")).toEqual(["run", "info", "version", "net", "completion", "help", "busybox"]);
  expect(paths("")).toBe("directory");
  expect(words("ne")).toEqual(["net"]);
  expect(words("--debug", "--root", "/x", "ve")).toEqual(["version"]);
});

test("a subcommand follows its command, and its flags follow it", () => {
  expect(words("net", "")).toEqual(["init", "inspect", "ls", "reset"]);
  expect(words("network", "re")).toEqual(["reset"]);
  expect(words("net", "reset", "--p")).toEqual(["--purge"]);
  expect(words("help", "n")).toEqual(["net"]);
  expect(words("help", "net", "in")).toEqual(["init", "inspect"]);
  expect(words("help", "run", "")).toEqual([]);
});

test("flags are offered with what they say, hidden ones are not", () => {
  expect(words("run", "--net")).toEqual(["--network"]);
  expect(complete(["run", "--read"], commands).candidates[0]?.says).toContain("read-only");
  expect(words("run", "--rm", "-it", "--hel")).toEqual(["--help"]);
});

test("a flag's values are offered in either way of writing it", () => {
  expect(words("run", "--network", "no")).toEqual(["none", "none,lo=down"]);
  expect(words("run", "--network=h")).toEqual(["--network=host"]);
  expect(words("run", "--network", "=", "h")).toEqual(["host"]);
  expect(words("run", "--network", "=", "")).toContain("bridge");
  expect(paths("run", "-v", "")).toBe("directory");
  expect(paths("run", "-itv", "")).toBe("directory");
  expect(paths("run", "--env-file", "")).toBe("file");
  expect(words("run", "--name", "")).toEqual([]);
});

test("nothing is offered in the container's own command line", () => {
  expect(words("run", "--rm", "busybox", "")).toEqual([]);
  expect(paths("run", "--rm", "busybox", "")).toBe("none");
  expect(words("busybox", "--r")).toEqual([]);
  expect(words("run", "--", "--r")).toEqual([]);
});
