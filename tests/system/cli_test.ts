/** Wrong input and the commands that touch nothing, through the built binary: no lab is needed for either. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { LabTerminal } from "../lab/process.ts";
import { until } from "../lab/until.ts";

const BINARY = resolve(process.env["SKDOCKER_BINARY"] ?? join(import.meta.dir, "../../dist/skdocker"));
const directory = mkdtempSync(join(tmpdir(), "skcli-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Both roots lie in the test's directory and are never made: whatever is refused is refused before that. */
const ROOTS = ["--root", join(directory, "root"), "--run-root", join(directory, "run")];

function run(command: readonly string[], env: Record<string, string> = {}) {
  const done = Bun.spawnSync([...command], {
    cwd: directory,
    env: { PATH: process.env["PATH"], ...env },
    stdin: "ignore",
  });
  return { code: done.exitCode, stdout: done.stdout.toString(), stderr: done.stderr.toString() };
}

const skdocker = (...words: string[]) => run([BINARY, ...words]);

describe("wrong input gets one clear sentence, exit code 125, and changes nothing", () => {
  const cases: [string[], string][] = [
    [["rum", "busybox"], '"rum" is neither a command nor a directory, did you mean run?'],
    [["busibox", "sh"], '"busibox" is neither a command nor a directory, did you mean busybox?'],
    [["frobnicate"], "\"frobnicate\" is neither a command nor a directory, see 'skdocker --help'"],
    [["-v", "frobnicate"], "\"frobnicate\" is neither a command nor a directory, see 'skdocker --help'"],
    [["--debg", "run"], "unknown flag: --debg, did you mean --debug?"],
    [["--root"], "flag needs an argument: --root"],
    [["-H", "tcp://x", "run"], "-H is not supported yet"],
    [["ps", "-a"], "'skdocker ps' is not supported yet"],
    [["create", "busybox"], "'skdocker create' is not supported yet"],
    [["network", "create", "x"], "'skdocker net create' is not supported yet"],
    [["net", "inti"], "\"inti\" is not a command of 'skdocker net', did you mean init?"],
    [["net", "ls", "--filter", "name=x"], "--filter is not supported yet"],
    [["net", "inspect", "-v"], "-v is not supported yet"],
    [["container", "run", "busybox"], "'skdocker container' is not supported yet"],
    [["--root=", "info"], 'invalid argument "" for --root: not a directory'],
    [["run", "--network", "bridge,ip=172.16.0.8", "--ip", "172.16.0.9", "busybox"], "--ip cannot be used with"],
    [["run", "--pids-limit", "010", "busybox"], "not a whole number"],
    [["run", "--entrypoint=", "busybox"], "no command was given, and --entrypoint takes the default one away"],
    [["run", "--security-opt", "no-new-privileges=maybe", "busybox"], '"maybe" is neither true nor false'],
    [["net", "ls", "x"], "\"skdocker net ls\" accepts no arguments, see 'skdocker net ls --help'"],
    [["net", "reset", "--force"], "--force says nothing without --purge"],
    [["version", "--licence"], "unknown flag: --licence, did you mean --licenses?"],
    [["completion", "tcsh"], 'no completion for the shell "tcsh", use bash, fish or zsh'],
    [["help", "rnu"], '"rnu" is neither a command nor a directory, did you mean run?'],
    [["run"], "what to run is missing, write busybox or a directory after the flags"],
    [["run", "alpine"], '"alpine" is neither busybox nor a directory (images are not supported yet)'],
    [["run", "--nmae", "x", "busybox"], "unknown flag: --nmae, did you mean --name?"],
    [["run", "-d", "busybox"], "-d is not supported yet"],
    [["run", "--gpus=all", "busybox"], "--gpus is not supported yet"],
    [["run", "-p", "80:80", "busybox"], "-p is not supported yet"],
    [["run", "--rm=perhaps", "busybox"], 'invalid argument "perhaps" for --rm: neither true nor false'],
    [["run", "--debug", "busybox"], '--debug is a flag of skdocker itself and stands before "run"'],
    [["run", "--network", "brigde", "busybox"], 'invalid argument "brigde" for --network: did you mean bridge?'],
    [["run", "--ip", "172.16.0.300", "busybox"], 'invalid argument "172.16.0.300" for --ip: not an IPv4 address'],
    [["run", "--network", "host", "--ip", "1.2.3.4", "busybox"], "--ip cannot be used with --network host"],
    [["run", "-m", "1m", "busybox"], 'invalid argument "1m" for --memory: the least is 6m'],
    [["run", "--cap-add", "NET_ADMN", "busybox"], "it is not a capability, did you mean NET_ADMIN?"],
    [["run", "--name", "a b", "busybox"], 'invalid argument "a b" for --name'],
    [["run", "--env-file", "nothing", "busybox"], 'cannot read the environment file "nothing": ENOENT'],
    [["run", "--sysctl", "kernel.panic=1", "busybox"], "it belongs to the whole host, not to a container"],
    [["run", "-v", "data:/data", "busybox"], "named volumes are not supported yet"],
  ];
  for (const [words, sentence] of cases) {
    test(words.join(" "), () => {
      const { code, stdout, stderr } = skdocker(...words);
      expect(stderr).toStartWith("skdocker: ");
      expect(stderr).toContain(sentence);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
      expect([code, stdout]).toEqual([125, ""]);
      expect(skdocker(...ROOTS, ...words).code).toBe(125);
      expect(readdirSync(directory)).toEqual([]);
    });
  }
});

test("-it without a terminal is refused as docker does it", () => {
  const { code, stderr } = skdocker(...ROOTS, "run", "--rm", "-it", "busybox", "sh");
  expect([code, stderr]).toEqual([1, "skdocker: the input device is not a TTY\n"]);
  expect(existsSync(join(directory, "run"))).toBe(false);
});

test("--debug adds the stack", () => {
  const { stderr } = skdocker("--debug", "run", "-m", "x", "busybox");
  expect(stderr.split("\n")[0]).toStartWith("skdocker: invalid argument");
  expect(stderr).toContain("\n    at ");
});

describe("who is not root", () => {
  const nobody = (...words: string[]) =>
    run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", BINARY, ...words]);
  const canRun = nobody("--version").code === 0;
  for (const words of [["run", "busybox", "true"], ["busybox", "true"], ["net", "init"], ["net", "reset"], ["info"]]) {
    test.skipIf(!canRun)(`is told so: ${words.join(" ")}`, () => {
      expect(nobody(...words)).toEqual({ code: 125, stdout: "", stderr: "skdocker: must be run as root (try sudo)\n" });
    });
  }
  test.skipIf(!canRun)("still gets help", () => expect(nobody("run", "--help").code).toBe(0));
});

describe("help and version", () => {
  test("nothing, --help, -h and help are the same help", () => {
    const { code, stdout, stderr } = skdocker();
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toStartWith("Usage:  skdocker ");
    for (const words of [["--help"], ["-h"], ["help"]]) expect(skdocker(...words).stdout).toBe(stdout);
  });

  test("a command's help comes by --help and by help", () => {
    const { code, stdout } = skdocker("net", "reset", "--help");
    expect(code).toBe(0);
    expect(stdout).toStartWith("Usage:  skdocker net reset [OPTIONS]\n");
    expect(skdocker("help", "network", "reset").stdout).toBe(stdout);
    expect(skdocker("net", "--help", "reset").stdout).toBe(skdocker("net").stdout);
    expect(skdocker("net").stdout).toBe(skdocker("net", "--help").stdout);
  });

  test("the version is package.json's", async () => {
    const { version } = await Bun.file(join(import.meta.dir, "../../package.json")).json();
    expect(skdocker("-v").stdout).toMatch(/^skdocker version [0-9.]+, build \S+\n$/);
    expect(skdocker("--version").stdout).toContain(`version ${version}, `);
    expect(skdocker("version").stdout).toContain(`Version:     ${version}\n`);
  });

  test("the licences are inside: MIT, the GPL and the offer of busybox' source", () => {
    const { code, stdout } = skdocker("version", "--licenses");
    expect(code).toBe(0);
    for (const words of ["MIT License", "GNU GENERAL PUBLIC LICENSE", "busybox"]) expect(stdout).toContain(words);
  });

  test("an output that cannot be written is an error, one that nobody reads is none", () => {
    expect(run(["bash", "-c", `${BINARY} --help >/dev/full`])).toMatchObject({ code: 125 });
    const unread = run(["bash", "-c", `(trap '' PIPE; sleep 0.2; ${BINARY} --help; echo $? >&2) | true`]);
    expect(unread.stderr).toBe("141\n");
  });
});

describe("--format", () => {
  const say = (...words: string[]) => skdocker(...ROOTS, ...words);

  test("prints what a Go template makes of the version", () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dir, "../../package.json"), "utf8"));
    expect(say("version", "--format", "{{.Client.Version}}")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
    expect(JSON.parse(say("version", "-f", "json").stdout)).toMatchObject({
      Client: { Version: version },
      Server: null,
    });
    expect(say("version", "-f", "{{if .Server}}daemon{{else}}none{{end}}").stdout).toBe("none\n");
  });

  // docker's exit codes: 64 for a template that cannot be parsed, 1 for one that cannot be executed.
  const wrong: [number, string[], string][] = [
    [64, ["version", "-f", "{{"], "template parsing error: unclosed action"],
    [64, ["info", "-f", "{{nope .}}"], 'template parsing error: function "nope" not defined'],
    [64, ["net", "inspect", "-f", "{{end}}"], "template parsing error: unexpected {{end}}"],
    [1, ["net", "ls", "--format", "table {{.Name"], "template parsing error: unclosed action"],
    [
      1,
      ["version", "-f", "{{.Client.Verion}}"],
      "at <.Client.Verion>: there is no field Verion, did you mean Version?",
    ],
    [1, ["version", "-f", "{{.Server.Version}}"], "nil pointer evaluating interface {}.Version"],
    [64, ["version", "-f", `{{${"(".repeat(10_000)}}}`], "template parsing error: nested more than 100 levels deep"],
  ];
  for (const [code, words, sentence] of wrong) {
    test(`refuses ${words.join(" ").slice(0, 60)}`, () => {
      const said = say(...words);
      expect(said.stderr).toContain(sentence);
      expect(said.stderr.trimEnd().split("\n")).toHaveLength(1);
      expect([said.code, said.stdout]).toEqual([code, ""]);
      expect(readdirSync(directory)).toEqual([]);
    });
  }
});

describe("nothing of the directory skdocker stands in is read", () => {
  test(".env, bunfig.toml, package.json and tsconfig.json are passed over", () => {
    const place = mkdtempSync(join(tmpdir(), "skcli-place-"));
    try {
      writeFileSync(join(place, "evil.ts"), `console.log("evil")`);
      writeFileSync(join(place, "bunfig.toml"), `preload = ["./evil.ts"]\n`);
      writeFileSync(join(place, ".env"), "SKDOCKER_TRACE=syscall\n");
      writeFileSync(join(place, "package.json"), "{ broken");
      writeFileSync(join(place, "tsconfig.json"), "{ broken");
      const done = Bun.spawnSync([BINARY, "--version"], { cwd: place, env: {} });
      expect(done.stdout.toString()).toStartWith("skdocker version ");
      expect(done.stderr.toString()).toBe("");
    } finally {
      rmSync(place, { recursive: true });
    }
  });
});

describe("completion", () => {
  const complete = (...words: string[]) => {
    const array = words.map((word) => `'${word}'`).join(" ");
    const script = `PATH=${join(BINARY, "..")}:$PATH; eval "$(${BINARY} completion bash)"
      COMP_WORDS=(${BINARY} ${array}); COMP_CWORD=${words.length}; _skdocker; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return run(["bash", "-c", script]).stdout.split("\n").filter((word) => word !== "");
  };

  test("bash completes commands, flags and values", () => {
    expect(complete("ne")).toEqual(["net"]);
    expect(complete("net", "res")).toEqual(["reset"]);
    expect(complete("run", "--rm", "--cap")).toEqual(["--cap-add", "--cap-drop"]);
    expect(complete("run", "--network", "=", "h")).toEqual(["host"]);
    expect(complete("run", "--rm", "busybox", "--c")).toEqual([]);
  });

  test("bash completes directories where one may stand", () => {
    expect(complete("run", "-v", "/us")).toEqual(["/usr"]);
  });

  const LINES: readonly (readonly [typed: string, completed: string])[] = [
    ["skdocker ne", "skdocker net "],
    ["skdocker net res", "skdocker net reset "],
    ["skdocker run --rm --cap-a", "skdocker run --rm --cap-add "],
    ["skdocker run --network=hos", "skdocker run --network=host "],
    ["skdocker run --network hos", "skdocker run --network host "],
    ["skdocker completion fi", "skdocker completion fish "],
    ["skdocker help net ini", "skdocker help net init "],
    ["skdocker run -v /proc/sys/ne", "skdocker run -v /proc/sys/net/"],
    ["skdocker run --env-file /proc/versio", "skdocker run --env-file /proc/version "],
  ];

  /** A person at the shell: each line becomes at the tab key what it should. */
  async function typed(shell: readonly string[], prepare: string, clear: string): Promise<void> {
    const env = {
      PATH: `${join(BINARY, "..")}:${process.env["PATH"]}`,
      HOME: directory,
      TERM: "xterm",
      INPUTRC: "/dev/null",
    };
    const terminal = new LabTerminal([...shell], { subject: shell.join(" "), cols: 120, rows: 40, env });
    terminal.type(`${prepare}; echo re''ady\r`);
    await terminal.waitFor(/ready/);
    for (const [line, completed] of LINES) {
      const seen = terminal.output.length;
      terminal.type(`${line}\t`);
      const shown = () => Bun.stripANSI(terminal.output.slice(seen)).replace(/.\x08/g, "");
      await until(`${shell[0]} to complete "${line}"`, () => shown().includes(completed.trimEnd()));
      terminal.type(clear);
    }
    terminal.type("exit\r");
  }

  test("bash completes what is typed", async () => {
    await typed(["bash", "--norc", "-i"], `PS1='% '; eval "$(skdocker completion bash)"`, "\x15");
  });

  test("zsh completes what is typed", async () => {
    writeFileSync(join(directory, "_skdocker"), skdocker("completion", "zsh").stdout);
    const prepare = `PS1='%% '; fpath=(${directory} $fpath); autoload -Uz compinit; compinit -u -D; setopt no_beep`;
    await typed(["zsh", "-f", "-i"], prepare, "\x15");
    rmSync(join(directory, "_skdocker"));
  });

  test("fish completes what it is asked for", () => {
    for (const [line, completed] of LINES) {
      const asked = `skdocker completion fish | source; complete -C '${line}'`;
      const { stdout } = run(["fish", "--no-config", "-c", asked], {
        PATH: `${join(BINARY, "..")}:${process.env["PATH"]}`,
        HOME: directory,
      });
      const words = stdout.split("\n").map((candidate) => candidate.split("\t")[0]);
      expect([line, words]).toEqual([line, expect.arrayContaining([completed.trimEnd().split(" ").at(-1)])]);
    }
    rmSync(join(directory, ".local"), { recursive: true, force: true });
    rmSync(join(directory, ".config"), { recursive: true, force: true });
    rmSync(join(directory, ".cache"), { recursive: true, force: true });
  });
});
