/** A template ends, and soon: what would take the stack, the memory or for ever is refused. */
import { expect, test } from "bun:test";
import { UserError } from "../../user_error.ts";
import { readFormat } from "./format.ts";

const many = (text: string, times = 10_000) => text.repeat(times);

const REFUSED: readonly (readonly [name: string, template: string, sentence: string])[] = [
  ["parentheses", `{{${many("(")}1${many(")")}}}`, "nested more than 100 levels deep"],
  ["blocks", `${many("{{if 1}}")}x${many("{{end}}")}`, "nested more than 100 levels deep"],
  ["else if", `{{if 0}}${many("{{else if 0}}")}{{end}}`, "nested more than 100 levels deep"],
  ["definitions", many(`{{block "x" 1}}`), "nested more than 100 levels deep"],
  ["recursion", `{{define "x"}}{{template "x"}}{{end}}{{template "x"}}`, "nested more than 500 levels deep"],
  [
    "recursion in depth",
    `{{define "x"}}${many("{{with 1}}", 90)}{{template "x"}}${many("{{end}}", 90)}{{end}}{{template "x"}}`,
    "nested more",
  ],
  ["a long range", "{{range 1000000000000}}{{end}}", "runs for more than 1000000 steps"],
  ["ranges in ranges", `${many("{{range 1000}}", 9)}${many("{{end}}", 9)}`, "runs for more than 1000000 steps"],
  [
    "calls that double",
    `${
      Array.from({ length: 40 }, (_, i) => `{{define "${i}"}}{{template "${i + 1}"}}{{template "${i + 1}"}}{{end}}`)
        .join("")
    }` +
    `{{define "40"}}{{end}}{{template "0"}}`,
    "runs for more than 1000000 steps",
  ],
  ["texts that double", `{{$x := "x"}}{{range 100}}{{$x = print $x $x}}{{end}}`, "the text is too long"],
  ["much output", `{{$x := pad "x" 10000000 0}}{{range 100}}{{$x}}{{end}}`, "the output is too long"],
  ["padding", `{{pad "x" 1000000000000 1}}`, "the text is too long"],
];

for (const [name, template, sentence] of REFUSED) {
  test(`${name}: refused`, () => {
    const run = () => readFormat(template)({});
    expect(run).toThrow(UserError);
    expect(run).toThrow(sentence);
  });
}

test("what is long but flat is executed", () => {
  expect(readFormat(many("{{1}}"))({})).toBe(`${many("1")}\n`);
  expect(readFormat(`{{len (print ${many("1 ")})}}`)({})).toBe("19999\n");
  expect(readFormat(`{{${many("1 | printf `%[2]v%[1]v` ", 1)}${many("| print ", 1000)}}}`)({})).toContain("1");
  expect(readFormat(`{{printf "%1000000000d" 1}}`)({}).length).toBeGreaterThan(1);
});
