/** A terminal of the container's own (`-t`), as a person at another terminal finds it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, readlinkSync } from "node:fs";
import { childrenOf } from "../lab/process.ts";
import { Lab, type LabTerminal, until } from "../lab.ts";

let lab: Lab;
beforeAll(() => void (lab = Lab.create()));
afterAll(() => lab[Symbol.dispose]());

const run = (...words: string[]) => [lab.binary, "run", "--rm", "--network", "none", ...words];

/** A shell in a container, on a terminal; returns when it has its prompt. */
async function shell(options: { cols?: number; rows?: number } = {}): Promise<LabTerminal> {
  const terminal = lab.terminal(run("-it", "busybox", "sh"), options);
  await terminal.waitFor(/# (\x1b\[6n)?$/); // busybox asks where the cursor is
  return terminal;
}

/** Types a line and waits for what it prints: a line of its own, not its echo. */
async function asked(terminal: LabTerminal, line: string, answer: RegExp): Promise<RegExpExecArray> {
  const from = terminal.output.length;
  terminal.type(`${line}\r`);
  return await until(`"${line}" to be answered by ${answer}`, () => {
    const found = answer.exec(terminal.output.slice(from));
    if (!found && !terminal.running) throw new Error(`it has ended: ${terminal.output}`);
    return found ?? undefined;
  });
}

/** Lines of bash on a terminal, in which `$sk` is `skdocker run --rm --network none`. */
function outer(script: string, options: { cols?: number; rows?: number } = {}): LabTerminal {
  const sk = run().join(" ");
  // A session of its own: keys that make signals are not to reach what entered the lab.
  return lab.terminal(["setsid", "-c", "-w", "bash", "-c", `sk="${sk}"; ${script}`], options);
}

describe("the container's terminal", () => {
  test("is the only one it sees, controls its session, and is known as tty, console and standard streams", async () => {
    const terminal = await shell();
    await asked(terminal, "tty; ls /dev/pts", /\/dev\/pts\/0\r\n0 +ptmx\r\n/);
    await asked(
      terminal,
      "echo one >/dev/tty; echo two >/dev/console; echo three >/dev/stderr",
      /one\r\ntwo\r\nthree\r\n/,
    );
    await asked(
      terminal,
      "ls -l /proc/self/fd",
      /0 -> \/dev\/pts\/0\r\n[^]*1 -> \/dev\/pts\/0\r\n[^]*2 -> \/dev\/pts\/0\r\n/,
    );
    // Fields 1, 6, 7: the pid, the session, and the device of its controlling terminal, 136:0.
    await asked(terminal, "cut -d' ' -f1,6,7 /proc/1/stat", /\r\n1 1 34816\r\n/);
    terminal.type("exit 5\r");
    expect((await terminal.ended()).code).toBe(5);
  });

  test("belongs to the container's user, who can open it again", async () => {
    const terminal = lab.terminal(
      run(
        "-it",
        "-u",
        "1000",
        "busybox",
        "sh",
        "-c",
        "stat -c %u:%a $(tty); echo again >/dev/tty; echo more >/dev/stdout",
      ),
    );
    const { code, output } = await terminal.ended();
    expect([code, output]).toEqual([0, "1000:620\r\nagain\r\nmore\r\n"]);
  });

  test("has the size of the person's from the first instruction on", async () => {
    for (let round = 0; round < 15; round++) {
      const terminal = lab.terminal(run("-it", "busybox", "stty", "size"), { cols: 100 + round, rows: 40 });
      expect((await terminal.ended()).output).toBe(`40 ${100 + round}\r\n`);
    }
  });

  test("follows its changes, and tells the foreground processes", async () => {
    const terminal = await shell({ cols: 81, rows: 25 });
    await asked(terminal, "stty size", /25 81\r\n/);
    terminal.resize(132, 43);
    await until(
      "the size to be followed",
      async () => (await asked(terminal, "stty size", /\d+ \d+\r\n/))[0] === "43 132\r\n",
    );
    terminal.type("exit\r");
    await terminal.ended();
  });

  test("tells the foreground processes of a change by SIGWINCH", async () => {
    const script = "trap 'stty size' WINCH; echo up; while :; do sleep 0.02; done";
    const terminal = lab.terminal(run("-it", "busybox", "sh", "-c", script), { cols: 80, rows: 24 });
    await terminal.waitFor(/up\r\n/);
    terminal.resize(90, 30);
    await terminal.waitFor(/30 90\r\n/);
    terminal.type("\x03");
    await terminal.ended();
  });

  test("passes every key as it was typed, and text of any language", async () => {
    const terminal = lab.terminal(
      run("-it", "busybox", "sh", "-c", "stty raw -echo; echo ready; head -c 80 | od -An -v -tx1; stty sane"),
    );
    await terminal.waitFor(/ready/);
    const text = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join("") + "\x7fäß漢字🙂" +
      "z".repeat(80);
    terminal.type(text);
    const { output } = await terminal.ended();
    const bytes = [...new TextEncoder().encode(text).subarray(0, 80)].map((byte) => byte.toString(16).padStart(2, "0"));
    expect(output.slice(output.indexOf("ready") + 5).replaceAll(/\s+/g, " ").trim()).toBe(bytes.join(" "));
  });

  test("delivers the last of a long output before the end", async () => {
    const terminal = lab.terminal(run("-it", "busybox", "sh", "-c", "seq 1 50000; exit 4"));
    const { code, output } = await terminal.ended();
    expect(code).toBe(4);
    expect(output.split("\r\n")).toHaveLength(50_001);
    expect(output).toEndWith("\r\n50000\r\n");
  });

  test("is at its end when the first process is, whoever else has it open", async () => {
    const terminal = lab.terminal(
      run("-it", "busybox", "sh", "-c", "sleep 1000 & sleep 1000 & (trap '' HUP; sleep 1000) & echo end"),
    );
    const { code, output } = await terminal.ended();
    expect([code, output]).toEqual([0, "end\r\n"]);
  });
});

describe("job control in it", () => {
  test("^C ends what runs, and not the shell", async () => {
    const terminal = await shell();
    terminal.type("sleep 1000\r");
    await asked(terminal, "", /sleep 1000|$/);
    await until("sleep to run", () => lab.run(["pgrep", "-x", "sleep", "-a"]).stdout.includes("sleep 1000"));
    terminal.type("\x03");
    await asked(terminal, "echo code $?", /code 130\r\n/);
    terminal.type("exit\r");
    expect((await terminal.ended()).code).toBe(0);
  });

  test("^Z stops it, fg and bg go on, and ^\\ quits", async () => {
    const terminal = await shell();
    terminal.type("sleep 1001\r");
    await until("sleep to run", () => lab.run(["pgrep", "-af", "^sleep 1001"]).stdout !== "");
    terminal.type("\x1a");
    await terminal.waitFor(/Stopped/);
    await asked(terminal, "jobs", /\[1\]\+ +Stopped +sleep 1001/);
    await asked(terminal, "bg; jobs", /\[1\]\+ +Running +sleep 1001/);
    const from = terminal.output.length;
    terminal.type("fg\r");
    await until("fg", () => /sleep 1001\r\n/.test(terminal.output.slice(from)));
    terminal.type("\x1c");
    await asked(terminal, "echo code $?", /code 131\r\n/);
    terminal.type("exit\r");
    expect((await terminal.ended()).code).toBe(0);
  });

  test("^D at the prompt ends the shell", async () => {
    const terminal = await shell();
    terminal.type("\x04");
    expect((await terminal.ended()).code).toBe(0);
  });
});

describe("the person's own terminal", () => {
  /** What stty(1) says of the terminal on the shell's standard input, before and after a line. */
  async function settings(line: string, during: (terminal: LabTerminal) => Promise<void> = () => Promise.resolve()) {
    const terminal = outer(`stty -g; ${line}; echo "code $?"; stty -g; stty size`);
    await during(terminal);
    const { output } = await terminal.ended();
    const lines = output.split(/[\r\n]+/).filter((each) => /^[0-9a-f]+(:[0-9a-f]+)+$/.test(each));
    expect([line, lines.length, lines[0]]).toEqual([line, 2, lines[1]]);
    return Number(/code (\d+)/.exec(output)?.[1]);
  }

  /** The pid of skdocker below the shell of a terminal, once a container runs. */
  async function skdockerOf(terminal: LabTerminal): Promise<number> {
    const first = await terminal.pid(); // setsid, which goes on as bash unless it had to fork
    const isBash = (pid: number) => readFileSync(`/proc/${pid}/comm`, "utf8") === "bash\n";
    const bash = await until("bash", () => isBash(first) ? first : childrenOf(first).find(isBash));
    return await until("skdocker and its child to run", () => {
      const [pid] = childrenOf(bash);
      return pid !== undefined && childrenOf(pid).length > 0 ? pid : undefined;
    });
  }

  test("is raw while the container runs, and itself again afterwards", async () => {
    const code = await settings("$sk -it busybox sh -c 'echo up; read x; exit 6'", async (terminal) => {
      await terminal.waitFor(/up/);
      const path = readlinkSync(`/proc/${await skdockerOf(terminal)}/fd/0`);
      const now = Bun.spawnSync(["stty", "-a", "-F", path]).stdout.toString();
      for (const word of ["-icanon", "-echo ", "-isig", "-opost", "-icrnl", "-ixon"]) expect(now).toContain(word);
      terminal.type("\r");
    });
    expect(code).toBe(6);
  });

  test("is itself again whatever ends the container", async () => {
    expect(await settings("$sk -it busybox true")).toBe(0);
    expect(await settings("$sk -it busybox sh -c 'exit 255'")).toBe(255);
    // A container that itself leaves its terminal in a state.
    expect(await settings("$sk -it busybox sh -c 'stty raw -echo; exit 3'")).toBe(3);
  });

  test("after the container was killed from outside", async () => {
    const code = await settings("$sk -it busybox sleep 1000", async (terminal) => {
      const [first] = childrenOf(await skdockerOf(terminal));
      await until("the command to run", () => readFileSync(`/proc/${first}/comm`, "utf8") === "sleep\n");
      process.kill(first as number, "SIGKILL");
    });
    expect(code).toBe(137);
  });

  test("after an error before, or at, the start", async () => {
    expect(await settings("$sk -it busybox nosuchcommand")).toBe(127);
    expect(await settings("$sk -it -w /etc/passwd busybox true")).toBeGreaterThanOrEqual(125);
    expect(await settings("$sk -it --nonsense busybox true")).toBe(125);
    expect(await settings("$sk -it -u nobodyknows busybox true")).toBe(125);
    expect(await settings("$sk -it --sysctl net.ipv4.nonsense=1 busybox true")).toBe(125);
  });

  test("after SIGTERM, SIGINT, SIGQUIT and SIGHUP, which reach the container's first process", async () => {
    for (
      const [signal, number] of [["SIGTERM", 15], ["SIGINT", 2], ["SIGQUIT", 3], ["SIGHUP", 1], [
        "SIGUSR1",
        10,
      ]] as const
    ) {
      const script = `trap "exit ${40 + number}" ${signal.slice(3)}; echo up; while :; do sleep 0.02; done`;
      const code = await settings(`$sk -it busybox sh -c '${script}'`, async (terminal) => {
        await terminal.waitFor(/up\r\n/);
        process.kill(await skdockerOf(terminal), signal);
      });
      expect(code).toBe(40 + number);
    }
  });

  test("keeps what was typed for others where -i was not said", async () => {
    const terminal = outer("$sk -t busybox sh -c 'echo up; sleep 0.3'; read line; echo \"got $line\"");
    await terminal.waitFor(/up/);
    terminal.type("for the shell\r");
    expect((await terminal.ended()).output).toContain("got for the shell\r\n");
  });

  test("may be only at one end: output to a file, with -t", async () => {
    const terminal = outer(`$sk -it busybox sh -c 'tty; stty size' >${lab.directory}/out; cat ${lab.directory}/out`, {
      cols: 99,
      rows: 33,
    });
    expect((await terminal.ended()).output).toBe("/dev/pts/0\r\r\n33 99\r\r\n");
  });

  test("stops and goes on by the shell's own job control where the container has no input from it", async () => {
    const terminal = lab.terminal(["setsid", "-c", "-w", "bash", "--norc", "-i"]);
    await terminal.waitFor(/[$#] $/);
    terminal.type(`${run("-t", "busybox", "sh", "-c", "'echo up; sleep 0.5; echo still here'").join(" ")}\r`);
    await terminal.waitFor(/up\r\r\n/); // nobody made this terminal raw: it adds its own
    terminal.type("\x1a");
    await terminal.waitFor(/Stopped/);
    terminal.type("fg\r");
    await terminal.waitFor(/still here\r\r\n/);
    terminal.type("exit\r");
    await terminal.ended();
  });
});

describe("when the person's terminal goes away", () => {
  const gone = () => until("the container to end", () => lab.run(["pgrep", "-x", "skdocker"]).stdout === "");

  test("a shell in the container ends, as it would without one", async () => {
    const terminal = outer("$sk -it busybox sh");
    await terminal.waitFor(/# /);
    terminal.hangUp();
    await gone();
  });

  test("whoever reads or writes there has an error, and who handles SIGHUP is told", async () => {
    const file = `${lab.directory}/told`;
    const script = 'trap "echo HUP >/shared/told; exit" HUP; echo up; while :; do sleep 0.02; done';
    const terminal = outer(`$sk -it -v ${lab.directory}:/shared busybox sh -c '${script}'`);
    await terminal.waitFor(/up/);
    terminal.hangUp();
    await gone();
    expect(readFileSync(file, "utf8")).toBe("HUP\n");
    const writer = outer("$sk -it busybox sh -c 'echo up; while echo x; do sleep 0.02; done'");
    await writer.waitFor(/up/);
    writer.hangUp();
    await gone();
  });

  test("without -t the container's input ends", async () => {
    const terminal = outer("$sk -i busybox sh -c 'echo up; cat'");
    await terminal.waitFor(/up/);
    terminal.hangUp();
    await gone();
  });
});

describe("with -i alone on a terminal", () => {
  test("lines and the end of file are the person's terminal's, and bytes pass through pipes", async () => {
    const terminal = lab.terminal(run("-i", "busybox", "cat"));
    terminal.type("hello\r");
    await terminal.waitFor(/hello\r\nhello\r\n/); // the echo, and what cat says
    terminal.type("\x04");
    expect((await terminal.ended()).code).toBe(0);
  });

  test("^C is passed on to the first process as SIGINT", async () => {
    const script = "trap 'exit 33' INT; echo up; while :; do sleep 0.02; done";
    const terminal = outer(`trap : INT; $sk -i busybox sh -c "${script}"; echo code $?`);
    await terminal.waitFor(/up\r\n/);
    terminal.type("\x03");
    expect((await terminal.ended()).output).toContain("code 33\r\n");
  });
});

test("nothing is left of all these", async () => {
  await until(
    "all containers to be gone",
    () => lab.output(["sh", "-c", "ls /run/skdocker/containers | wc -l"]).trim() === "0",
  );
  expect(lab.run(["pgrep", "-x", "skdocker"]).stdout).toBe("");
});
