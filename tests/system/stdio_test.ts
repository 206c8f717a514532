/** Standard input, output and error of a container without a terminal: what it is given, what passes, what ends it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { makeRootfs, proberBytes, results, TAKE_PROBER } from "../lab/prober.ts";
import { Lab } from "../lab.ts";

let lab: Lab;
let root: string;
beforeAll(() => {
  lab = Lab.create();
  root = makeRootfs(`${lab.directory}/root`);
});
afterAll(() => lab[Symbol.dispose]());

/** A line of sh on the host in which `$sk` runs a container of busybox, and `$probe` the prober in a directory. */
function shell(line: string, options: { stdin?: string | Uint8Array; timeout?: number } = {}) {
  const names = `sk='${lab.binary} run --rm --network none'; probe="$sk -i ${root} /bin/prober"`;
  return lab.run(["bash", "-c", `${names}; ${line}`], { ...options, cwd: lab.directory });
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("what passes", () => {
  const bytes = new Uint8Array(5_000_000);
  for (let at = 0; at < bytes.length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));

  test("megabytes of any bytes pass a pipe both ways", () => {
    writeFileSync(`${lab.directory}/bytes`, bytes);
    const { code, stdout } = shell("cat bytes | $sk -i busybox cat | cat | sha256sum");
    expect([code, stdout.split(" ")[0]]).toEqual([0, sha256(bytes)]);
  });

  test("and from file to file", () => {
    writeFileSync(`${lab.directory}/bytes`, bytes);
    expect(shell("$sk -i busybox cat <bytes >copy").code).toBe(0);
    expect(sha256(readFileSync(`${lab.directory}/copy`))).toBe(sha256(bytes));
  });

  test("through a socket on either side", () => {
    // bash's coprocesses are pipes; the test's own runner gives sockets.
    const { code, stdout } = lab.run([lab.binary, "run", "--rm", "-i", "--network", "none", "busybox", "cat"], {
      stdin: "through\0a socket\n",
    });
    expect([code, stdout]).toEqual([0, "through\0a socket\n"]);
  });

  test("a command that splices from a socket to a file does not keep its own output back", async () => {
    // The test's runner gives a socket as input, and files as outputs; busybox's cat splices.
    const cat = lab.spawn([lab.binary, "run", "--rm", "-i", "--network", "none", "busybox", "cat"], { stdin: "pipe" });
    for (const word of ["one", "two", "three"]) {
      cat.write(`${word}\n`);
      await cat.waitFor(new RegExp(`${word}\n$`));
    }
    cat.closeStdin();
    expect(await cat.ended()).toEqual({ code: 0, stdout: "one\ntwo\nthree\n", stderr: "" });
  });

  test("stdout and stderr stay apart, and what each holds at the end is delivered", () => {
    const { code } = shell("$sk busybox sh -c 'seq 1 20000; seq 1 20000 >&2; exit 9' >out 2>err");
    expect(code).toBe(9);
    for (const name of ["out", "err"]) {
      expect(readFileSync(`${lab.directory}/${name}`, "utf8").split("\n")).toHaveLength(20_001);
    }
  });

  test("a file opened to append is appended to, and its offset is the caller's", () => {
    writeFileSync(`${lab.directory}/log`, "first\n");
    expect(shell("{ $sk busybox echo second; echo third; } >>log; $sk busybox echo fourth >>log").code).toBe(0);
    expect(readFileSync(`${lab.directory}/log`, "utf8")).toBe("first\nsecond\nthird\nfourth\n");
    writeFileSync(`${lab.directory}/both`, "");
    expect(shell("{ echo a; $sk busybox sh -c 'echo b; echo c >&2'; echo d; } >both 2>&1").code).toBe(0);
    const lines = readFileSync(`${lab.directory}/both`, "utf8").trim().split("\n");
    expect([lines[0], lines.slice(1, 3).sort(), lines[3]]).toEqual(["a", ["b", "c"], "d"]);
  });

  test("a file is read from where the caller stands in it", () => {
    writeFileSync(`${lab.directory}/lines`, "one\ntwo\nthree\n");
    expect(shell("{ read first; $sk -i busybox cat; } <lines").stdout).toBe("two\nthree\n");
  });

  test("without -i nothing of standard input is taken", () => {
    const { stdout } = shell("{ $sk busybox cat; cat; }", { stdin: "kept\n" });
    expect(stdout).toBe("kept\n");
  });

  test("the end of standard input reaches the container, and a container that does not read ends all the same", () => {
    expect(shell("printf 'a\\nb' | $sk -i busybox wc -c").stdout.trim()).toBe("3");
    expect(shell("yes | $sk -i busybox true").code).toBe(0);
    expect(shell("$sk -i busybox true </dev/zero").code).toBe(0);
    expect(
      shell("mkfifo never; sleep 100 >never & $sk -i busybox true <never; code=$?; kill $!; rm never; exit $code").code,
    )
      .toBe(0);
  });

  test("a reader that goes away ends the writer as without a container", () => {
    const line = "$sk busybox sh -c 'yes; exit $?' | head -n 1; echo ${PIPESTATUS[0]}";
    expect(shell(line).stdout).toBe("y\n141\n");
  });

  test("an output that takes nothing more is an error, and nothing is left of the container", async () => {
    shell("$sk busybox true");
    const before = await lab.settled();
    // It goes on writing files when nobody takes its output any more.
    const script = "trap '' PIPE; i=0; while :; do echo x; mkdir /d$i; i=$((i+1)); done";
    const { code, stderr } = shell(`$sk busybox sh -c "${script.replaceAll("$", "\\$")}" >/dev/full`);
    expect(code).toBe(125);
    // What the container itself says of it goes before.
    const last = stderr.trimEnd().split("\n").at(-1);
    expect(last).toBe('skdocker: Cannot write to "a standard stream": ENOSPC (No space left on device)');
    await lab.unchanged(before);
  });
});

describe("streams that are closed", () => {
  test("each of them, and all", () => {
    for (const closed of ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]) {
      for (const flags of ["", "-i"]) {
        expect(`${closed} ${flags} ${shell(`$sk ${flags} busybox sh -c 'exit 5' ${closed}`).code}`).toBe(
          `${closed} ${flags} 5`,
        );
      }
    }
    expect(shell("$sk busybox sh -c 'echo out; echo err >&2' <&- 2>&-").stdout).toBe("out\n");
    expect(shell("$sk busybox sh -c 'echo out; echo err >&2' <&- >&-").stderr).toBe("err\n");
    expect(shell("$sk -i busybox cat <&-")).toMatchObject({ code: 0, stdout: "" });
  });
});

describe("what a container cannot do through its streams", () => {
  const probe = (fd: number, redirection: string) => shell(`$probe descriptor ${fd} ${redirection}`);
  /** What the prober says of a stream; where that is descriptor 2, it is what was written to it. */
  const told = (fd: number, redirection: string) => results(probe(fd, redirection).stderr);

  test("a regular file on stdio cannot be reopened for writing, changed or truncated", () => {
    for (const [fd, redirection] of [[0, "<FILE"], [1, ">>FILE"], [0, "<>FILE"], [1, "<>FILE 1>&0"]] as const) {
      const path = `${lab.directory}/secret`;
      writeFileSync(path, "the caller's\n", { mode: 0o640 });
      chownSync(path, 0, 0);
      const before = statSync(path);
      expect(told(fd, redirection.replace("FILE", path))).toMatchObject({ kind: "pipe", terminal: "no" });
      const after = statSync(path);
      expect([after.mode, after.uid, after.gid]).toEqual([before.mode, before.uid, before.gid]);
      expect(readFileSync(path, "utf8")).toBe("the caller's\n");
    }
    const path = `${lab.directory}/errors`;
    writeFileSync(path, "");
    probe(2, `2>>${path}`);
    expect(readFileSync(path, "utf8")).toContain("kind pipe\n");
  });

  test("a pipe with a name is not handed over: its mode and owner stay, and its other end is out of reach", () => {
    const path = `${lab.directory}/fifo`;
    lab.output(["mkfifo", "-m", "640", path]);
    expect(shell(`sleep 0 >${path} & $probe descriptor 0 <${path}`).stderr).toContain("kind pipe\n");
    expect(shell(`cat ${path} >/dev/null & $probe descriptor 1 >${path}`).stderr).toContain("kind pipe\n");
    const { mode, uid } = statSync(path);
    expect([mode & 0o777, uid]).toEqual([0o640, 0]);
    expect(shell(`echo through >${path} & $sk -i busybox cat <${path}`).stdout).toBe("through\n");
  });

  test("the null device is the container's own: the mode and owner of the host's node stay", () => {
    const before = statSync("/dev/null");
    for (const [fd, redirection] of [[0, "</dev/null"], [1, ">/dev/null"], [0, "<>/dev/null"]] as const) {
      expect(told(fd, redirection)).toMatchObject({ kind: "character", fchmod: "EROFS", fchown: "EROFS" });
    }
    // Without -i, and on standard error.
    const without = shell(`$sk ${root} /bin/prober descriptor 0; $probe descriptor 2 2>/dev/null`).stderr;
    expect(results(without)).toMatchObject({ fchmod: "EROFS", fchown: "EROFS" });
    const plain =
      `$sk -i busybox sh -c '${TAKE_PROBER}; prober descriptor 1; prober descriptor 0 </dev/null' >/dev/null`;
    expect(results(shell(plain, { stdin: proberBytes() }).stderr)).toMatchObject({ fchmod: "EROFS", fchown: "EROFS" });
    const after = statSync("/dev/null");
    expect([after.mode, after.uid, after.gid]).toEqual([before.mode, before.uid, before.gid]);
    expect(shell("$sk busybox sh -c 'echo lost; echo kept >&2; cat' >/dev/null").stderr).toBe("kept\n");
  });

  test("a directory on 0, 1 or 2 is refused, and nothing is changed", () => {
    const before = lab.snapshot();
    mkdirSync(`${lab.directory}/place`, { recursive: true });
    for (const [redirection, name] of [["-i", "input"]] as const) {
      const { code, stderr } = shell(`$sk ${redirection} busybox ls <place`);
      expect([code, stderr]).toEqual([125, `skdocker: Standard ${name} is a directory\n`]);
    }
    // A shell opens no directory for writing, but gives one on that was opened for reading.
    expect(shell("exec 3<place; $sk busybox ls >&3").stderr).toBe("skdocker: Standard output is a directory\n");
    expect(shell("exec 3<place; $sk busybox ls 2>&3").code).toBe(125);
    lab.expectUnchanged(before);
    expect(shell("$sk busybox echo fine <place").stdout).toBe("fine\n"); // without -i it is not given on
  });

  test("a terminal is never handed over: without -t the container has pipes, and no terminal at all", () => {
    for (const fd of [0, 1, 2]) {
      const { stdout } = lab.run([
        lab.binary,
        "run",
        "--rm",
        "-i",
        "--network",
        "none",
        root,
        "/bin/prober",
        "descriptor",
        String(fd),
      ], {
        tty: true,
      });
      expect(stdout.replaceAll("\r", "")).toContain("kind pipe\nterminal no\n");
    }
    const { stdout } = lab.run([
      lab.binary,
      "run",
      "--rm",
      "-i",
      "--network",
      "none",
      root,
      "/bin/prober",
      "opens",
      "/dev/tty",
    ], {
      tty: true,
    });
    expect(stdout).toContain("/dev/tty ENXIO ENXIO");
  });

  test("no descriptor but 0, 1 and 2 is there", () => {
    const { stdout } = shell(`exec 3</etc/passwd 4</ 5>extra 77</etc; $sk ${root} /bin/prober descriptors`);
    expect(stdout.trim().split("\n").toSorted()).toEqual(["0", "1", "2"]);
    const plain = `$sk -i busybox sh -c '${TAKE_PROBER} && exec prober descriptors' 5</etc 9>extra`;
    expect(shell(plain, { stdin: proberBytes() }).stdout.trim().split("\n").toSorted()).toEqual(["0", "1", "2"]);
    for (const flags of ["-t", "--init", "-v /tmp:/there", "--read-only -u 1000"]) {
      const { stdout } = shell(`$sk ${flags} ${root} /bin/prober descriptors`);
      expect(stdout.replaceAll("\r", "").trim().split("\n").toSorted()).toEqual(["0", "1", "2"]);
    }
  });
});

describe("exit codes", () => {
  test("0 to 255 are the command's own", () => {
    const codes = [0, 1, 2, 63, 124, 125, 126, 127, 128, 129, 137, 200, 254, 255];
    expect(codes.map((code) => shell(`$sk busybox sh -c 'exit ${code}'`).code)).toEqual(codes);
  });

  test("a command that a signal ends gives 128 and its number", () => {
    // The first process of a container is spared what it does not handle, so the signal comes from outside.
    for (const [signal, number] of [["KILL", 9]] as const) {
      const line =
        `$sk busybox sleep 100 & pid=$!; until child=$(pgrep -P $pid -x sleep); do :; done; kill -${signal} $child; wait $pid`;
      expect(shell(line).code).toBe(128 + number);
    }
    expect(shell("$sk busybox sh -c 'sh -c \"kill -TERM \\$\\$\"; exit $?'").code).toBe(143);
  });

  test("125 for what skdocker refuses, 126 for what cannot be executed, 127 for what is not there", () => {
    expect(shell("$sk --nonsense busybox true").code).toBe(125);
    expect(shell("$sk busybox /etc/passwd").code).toBe(126);
    expect(shell("$sk busybox /etc").code).toBe(126);
    expect(shell("$sk busybox nosuchcommand").code).toBe(127);
    expect(shell("$sk busybox /no/such/command").code).toBe(127);
  });
});
