import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { commandNames } from "./commands.ts";
import { helpFor } from "./help.ts";

/** The goldens are written anew with `UPDATE_GOLDEN=1 bun test src/cli/help_test.ts`, and read by a person. */
const golden = (name: string) => new URL(`./golden/${name}.txt`, import.meta.url).pathname;

for (const name of ["", ...commandNames()]) {
  test(`the help of "skdocker ${name}" is the golden one and fits 80 columns`, async () => {
    const help = await helpFor(name === "" ? [] : name.split(" "));
    const file = golden(name === "" ? "overview" : name.replaceAll(" ", "_"));
    if (process.env["UPDATE_GOLDEN"]) writeFileSync(file, help);
    expect(help).toBe(readFileSync(file, "utf8"));
    expect(help.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });
}

test("help for an alias is help for its command", async () => {
  expect(await helpFor(["network", "list"])).toBe(await helpFor(["net", "ls"]));
});

test("help for what is no command is refused", async () => {
  const refusal = async (...path: string[]) => await helpFor(path).then(() => "", (error: Error) => error.message);
  expect(await refusal("rnu")).toBe('"rnu" is neither a command nor a directory, did you mean run?');
  expect(await refusal("ps")).toBe("'skdocker ps' is not supported yet");
  expect(await refusal("net", "create")).toBe("'skdocker net create' is not supported yet");
  expect(await refusal("net", "inti")).toBe("\"inti\" is not a command of 'skdocker net', did you mean init?");
  expect(await refusal("run", "x")).toContain("is not a command of 'skdocker run'");
});
