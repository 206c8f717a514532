import { describe, expect, test } from "bun:test";
import type { Flags } from "./command.ts";
import { checkArity, parseWords } from "./parse.ts";

const FLAGS = {
  env: { kind: "list", short: "e", help: "" },
  hostname: { kind: "string", short: "h", help: "" },
  interactive: { kind: "boolean", short: "i", help: "" },
  name: { kind: "string", help: "" },
  net: { kind: "list", alias: "network", help: "" },
  network: { kind: "list", help: "" },
  "pids-limit": { kind: "integer", help: "" },
  rm: { kind: "boolean", help: "" },
  tty: { kind: "boolean", short: "t", help: "" },
  volume: { kind: "list", short: "v", help: "" },
} as const satisfies Flags;

const parse = (...words: string[]) => parseWords(words, { name: "run", flags: FLAGS, flagsFirst: true });

describe("a command line is read by pflag's rules", () => {
  const good: [string[], object, string[]][] = [
    [["busybox", "-i", "--rm"], {}, ["busybox", "-i", "--rm"]],
    [["-it", "busybox"], { interactive: true, tty: true }, ["busybox"]],
    [["-iteA=b", "busybox"], { interactive: true, tty: true, env: ["A=b"] }, ["busybox"]],
    [["-e", "A=b", "-eC=d", "-e=E=f", "x"], { env: ["A=b", "C=d", "E=f"] }, ["x"]],
    [["-v=/a:/b", "x"], { volume: ["/a:/b"] }, ["x"]],
    [["--name=a=b", "x"], { name: "a=b" }, ["x"]],
    [["--name", "--rm", "x"], { name: "--rm" }, ["x"]],
    [["--name=", "x"], { name: "" }, ["x"]],
    [["--name", "a", "--name", "b"], { name: "b" }, []],
    [["--rm=false", "x"], { rm: false }, ["x"]],
    [["--rm", "false"], { rm: true }, ["false"]],
    [["-i=0", "-t=T"], { interactive: false, tty: true }, []],
    [["--pids-limit", "-1", "x"], { "pids-limit": -1 }, ["x"]],
    [["--net", "a", "--network", "b"], { network: ["a", "b"] }, []],
    [["--rm", "--", "--rm", "-x"], { rm: true }, ["--rm", "-x"]],
    [["-", "-i"], {}, ["-", "-i"]],
    [["", "-i"], {}, ["", "-i"]],
    [["-h", "host", "x"], { hostname: "host" }, ["x"]],
    [[], {}, []],
  ];
  for (const [words, values, positionals] of good) {
    test(`"${words.join(" ")}" is understood`, () => {
      expect(parse(...words)).toEqual({ values, positionals, helpAsked: false });
    });
  }

  const bad: [string[], string][] = [
    [["--nmae", "x"], "unknown flag: --nmae, did you mean --name?"],
    [["--zzzzzz=1"], "unknown flag: --zzzzzz, see 'skdocker run --help'"],
    [["--constructor"], "unknown flag: --constructor, see 'skdocker run --help'"],
    [["-ix"], "unknown shorthand flag: 'x' in -ix, see 'skdocker run --help'"],
    [["-x"], "unknown shorthand flag: 'x', see 'skdocker run --help'"],
    [["--name"], "flag needs an argument: --name"],
    [["-ie"], "flag needs an argument: 'e' in -ie"],
    [["--rm=maybe"], 'invalid argument "maybe" for --rm: neither true nor false'],
    [["--pids-limit", "1.5"], 'invalid argument "1.5" for --pids-limit: not a whole number'],
    [["--pids-limit="], 'invalid argument "" for --pids-limit: not a whole number'],
    [["--=x"], "bad flag syntax: --=x"],
    [["---rm"], "bad flag syntax: ---rm"],
    [["--gpus", "all"], "--gpus is not supported yet"],
    [["--pids-limit", "010"], 'invalid argument "010" for --pids-limit: not a whole number'],
    [["-d"], "-d is not supported yet"],
    [["-itd"], "-d is not supported yet"],
    [["--debug"], '--debug is a flag of skdocker itself and stands before "run"'],
  ];
  for (const [words, message] of bad) {
    test(`"${words.join(" ")}" is refused in one sentence`, () => {
      expect(() => parse(...words)).toThrow(message);
    });
  }
});

test("flags may stand among the words of a command that doesn't end them", () => {
  const { values, positionals } = parseWords(["a", "--rm", "b"], { name: "net ls", flags: FLAGS });
  expect(values).toEqual({ rm: true });
  expect(positionals).toEqual(["a", "b"]);
});

test("--help is heard everywhere, -h where it is no other flag's letter", () => {
  expect(parse("--help").helpAsked).toBe(true);
  expect(parse("x", "--help").helpAsked).toBe(false);
  expect(parseWords(["-h"], { name: "net ls", flags: {} }).helpAsked).toBe(true);
});

test("too few and too many words are refused with the number wanted", () => {
  const refused = (positionals: string[], least: number, most: number) => () =>
    checkArity(positionals, { name: "x", arity: { least, most } });
  expect(refused(["a"], 0, 0)).toThrow('"skdocker x" accepts no arguments');
  expect(refused([], 1, 1)).toThrow("requires exactly 1 argument,");
  expect(refused([], 2, Infinity)).toThrow("requires at least 2 arguments,");
  expect(refused(["a", "b", "c"], 1, 2)).toThrow("requires at most 2 arguments,");
  expect(refused(["a"], 1, 1)).not.toThrow();
});
