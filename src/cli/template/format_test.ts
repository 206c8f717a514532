import { expect, test } from "bun:test";
import { UserError } from "../../user_error.ts";
import { readFormat, readRowFormat } from "./format.ts";

const data = {
  Name: "bridge",
  Count: 3,
  Share: 0.5,
  Empty: null,
  Tags: ["a", "b"],
  Options: new Map<string, unknown>([["z", 1], ["com.example/a", "x"]]),
  Inner: { First: 1, Second: [{ Third: true }] },
};

const say = (format: string) => readFormat(format)(data);

/** Exit code and sentence of what is refused. */
function refusal(action: () => unknown): [number, string] {
  try {
    action();
  } catch (error) {
    if (error instanceof UserError) return [error.exitCode, error.message];
    throw error;
  }
  return [0, ""];
}

test("an object is a struct: its fields are printed in their order, and no others are there", () => {
  expect(say("{{.Inner}} {{json .Inner}}")).toBe('{1 [{true}]} {"First":1,"Second":[{"Third":true}]}\n');
  expect(say('{{printf "%+v %#v" .Inner .Inner}}')).toBe(
    "{First:1 Second:[{Third:true}]} struct{First:1, Second:[]interface {}{struct{Third:true}}}\n",
  );
  expect(refusal(() => say("{{.Nam}}"))).toEqual([
    1,
    "template execution error at <.Nam>: there is no field Nam, did you mean Name?",
  ]);
  expect(refusal(() => say("{{.Inner.Other}}"))[1]).toEndWith("there is no field Other, there are First, Second");
  expect(refusal(() => say("{{.Name.x}}"))[1]).toEndWith("can't evaluate field x in type string");
  expect(refusal(() => say("{{.Name 1}}"))[1]).toEndWith("Name has arguments but cannot be invoked as function");
  expect(say("{{if .Inner}}there{{end}}")).toBe("there\n");
});

test("a Map is a map: any key may be asked for", () => {
  expect(say(`{{.Options.nope}} {{index .Options "com.example/a"}} {{.Options}}`)).toBe(
    "<no value> x map[com.example/a:x z:1]\n",
  );
  expect(say("{{range $k, $v := .Options}}{{$k}}={{$v}} {{end}}")).toBe("com.example/a=x z=1 \n");
});

test("whole numbers are ints, others float64", () => {
  expect(say(`{{printf "%d %T %T" .Count .Count .Share}} {{eq .Count 3}} {{lt .Share 1.0}}`)).toBe(
    "3 int float64 true true\n",
  );
});

test("json is all of it on a line", () => {
  expect(JSON.parse(say("json"))).toEqual({ ...data, Options: { "com.example/a": "x", z: 1 } });
  expect(say("json")).toBe(say("{{json .}}"));
});

test("where one value is printed, a backslash is a backslash", () => {
  expect(say("a\\tb{{.Name}}")).toBe("a\\tbbridge\n");
});

test("what is not in golden rows: Go's panics have a sentence of ours", () => {
  expect(refusal(() => say("{{index .Tags 2}}"))[1]).toEndWith("error calling index: index out of range: 2");
  expect(refusal(() => say("{{len nil}}"))[1]).toEndWith("error calling len: len of nil pointer");
  expect(refusal(() => say("{{1i}}"))).toEqual([64, 'template parsing error: complex numbers are not supported: "1i"']);
  expect(say('{{join .Tags "-"}}')).toBe("a-b\n");
  expect(say('{{(join .Tags "-") | upper}}')).toBe("A-B\n");
});

const rows = [{ Name: "bridge", Driver: "bridge", Count: 1 }, { Name: "a-long-name", Driver: "none", Count: 0 }];
const list = (format: string, of: readonly unknown[] = rows) =>
  readRowFormat(format, { Name: "NAME", Driver: "DRIVER", Count: "COUNT" })(of);

test("rows: a line each, with tabs and line breaks written as escapes", () => {
  expect(list("{{.Name}}\\t{{.Count}}")).toBe("bridge\t1\na-long-name\t0\n");
  expect(list("  {{.Name}}\\n ")).toBe("bridge\n\na-long-name\n\n");
  expect(list("{{.Name}}", [])).toBe("");
});

test("rows: json is an object a line", () => {
  expect(list("json").trimEnd().split("\n").map((line) => JSON.parse(line))).toEqual(rows);
});

test("rows: a table has headings and columns", () => {
  expect(list("table {{.Name}}\\t{{.Driver}}\\t{{.Count}}")).toBe(
    "NAME          DRIVER    COUNT\nbridge        bridge    1\na-long-name   none      0\n",
  );
  expect(list("table {{.Name}}", [])).toBe("NAME\n");
});

// From `docker context ls` of 28.2.2.
test("rows: headings are what the template makes of them, but for functions that change a text", () => {
  const first = (format: string) => list(format).split("\n")[0];
  expect(first("table {{json .Name}}\\t{{lower .Name}}\\t{{truncate .Name 2}}")).toBe(
    "NAME            NAME          NAME",
  );
  expect(first('table {{join (split .Name ",") "-"}}')).toBe("NAME");
  expect(first('table {{printf "%q" .Name}}')).toBe('"NAME"');
  expect(first("table {{pad .Name 2 2}}|")).toBe("  NAME  |");
  expect(first("table{{.Name}}\\t{{.Driver}}\\t")).toBe("NAME          DRIVER    ");
  expect(first("table {{if .Count}}x{{end}}")).toBe("x");
  expect(list("tablex")).toBe("x\nx\nx\n");
});

test("a wrong template is refused with docker's exit codes", () => {
  expect(refusal(() => readFormat("{{"))).toEqual([64, "template parsing error: unclosed action"]);
  expect(refusal(() => readRowFormat("{{", {}))).toEqual([1, "template parsing error: unclosed action"]);
  expect(refusal(() => list("{{.Nope}}"))[0]).toBe(1);
  expect(refusal(() => readFormat("a\n{{.b\n"))[1]).toBe("template parsing error: unclosed action started at line 2");
});
