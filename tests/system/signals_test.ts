/** Signals: what skdocker is sent goes on to the container's first process; how that ends is skdocker's exit code. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { childrenOf } from "../lab/process.ts";
import { Lab, type LabProcess, until } from "../lab.ts";

const TIMEOUT = { timeout: 100_000 };

/**
 * All that are passed on: not those of the engine (ILL TRAP ABRT BUS FPE SEGV PWR SYS), KILL and STOP, which nobody can
 * catch, what is our own (PIPE CHLD URG), what suspends us (TSTP TTIN TTOU), nor 32 and 33, which are the C library's.
 */
const FORWARDED = [
  1,
  2,
  3,
  10,
  12,
  14,
  15,
  16,
  18,
  24,
  25,
  26,
  27,
  28,
  29,
  ...Array.from({ length: 31 }, (_, n) => 34 + n),
];

async function send(run: LabProcess, signal: number | string, lab: Lab): Promise<void> {
  lab.shell(`kill -${signal} ${await run.labPid()}`);
}

/** A container that tells each signal it gets. */
async function listener(lab: Lab, signals: readonly number[], ...flags: string[]): Promise<LabProcess> {
  const traps = signals.map((signal) => `trap "echo got ${signal}." ${signal}`).join("; ");
  const script = `${traps}; echo ready; while :; do sleep 1000 & wait; kill $!; done`;
  const run = lab.start("run", ...flags, "busybox", "sh", "-c", script);
  await run.waitFor(/ready/);
  return run;
}

/** Lets skdocker go on. The nsenter around it has stopped with it, as a shell does, and is none of the lab's. */
async function goOn(run: LabProcess, lab: Lab): Promise<void> {
  const status = readFileSync(`/proc/${await run.pid()}/status`, "utf8");
  await send(run, "CONT", lab);
  process.kill(Number(/^PPid:\t(\d+)$/m.exec(status)?.[1]), "SIGCONT");
}

/** The state of a process as the kernel tells it ("S", "T"), by its pid on the machine. */
function stateOf(pid: number): string {
  return /^State:\t(\w)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "none";
}

test("every signal that can be passed on is, real-time ones included, and comes once", async () => {
  using lab = Lab.create();
  const run = await listener(lab, FORWARDED);
  for (const signal of FORWARDED) {
    await send(run, signal, lab);
    await run.waitFor(new RegExp(`got ${signal}\\.`));
  }
  expect(run.stdout).toBe(`ready\n${FORWARDED.map((signal) => `got ${signal}.\n`).join("")}`);
  expect(run.running).toBe(true);
  await run.kill("SIGKILL");
}, TIMEOUT);

test("a container without a handler goes on, as its first process does under docker", async () => {
  using lab = Lab.create();
  const run = lab.spawn([lab.binary, "run", "-i", "busybox", "cat"], { stdin: "pipe" });
  run.write("one\n");
  await run.waitFor(/one/);
  for (const signal of [1, 2, 3, 10, 12, 14, 15, 34, 64]) await send(run, signal, lab);
  run.write("two\n");
  await run.waitFor(/two/);
  run.closeStdin();
  expect(await run.ended()).toEqual({ code: 0, stdout: "one\ntwo\n", stderr: "" });
});

test("a command that a signal ends gives 128 and the number of the signal", async () => {
  using lab = Lab.create();
  for (const signal of [1, 2, 3, 10, 12, 14, 15, 34, 50, 64]) {
    const run = lab.start("run", "--init", "busybox", "sh", "-c", "echo ready; exec sleep 1000");
    await run.waitFor(/ready/);
    await until("the command to be sleep", () => lab.run(["pgrep", "-xf", "sleep 1000"]).code === 0);
    await send(run, signal, lab);
    expect({ signal, code: (await run.ended()).code }).toEqual({ signal, code: 128 + signal });
  }
  for (const signal of [4, 6, 7, 8, 9, 11, 31]) {
    expect(lab.skdocker("run", "--init", "busybox", "sh", "-c", `kill -${signal} $$`).code).toBe(128 + signal);
  }
  const killed = lab.start("run", "busybox", "sh", "-c", "echo ready; exec sleep 1000");
  await killed.waitFor(/ready/);
  process.kill(childrenOf(await killed.pid())[0] ?? 0, "SIGKILL");
  expect((await killed.ended()).code).toBe(137);
  for (const code of [0, 1, 2, 125, 126, 127, 128, 137, 254, 255]) {
    expect(lab.skdocker("run", "busybox", "sh", "-c", `exit ${code}`)).toEqual({ code, stdout: "", stderr: "" });
  }
}, TIMEOUT);

for (const signal of ["TSTP", "TTIN", "TTOU", "STOP"]) {
  test(`SIG${signal} suspends skdocker alone, and SIGCONT lets it and the container go on`, async () => {
    using lab = Lab.create();
    const run = await listener(lab, [18]);
    const pid = await run.pid();
    const [first = 0] = childrenOf(pid);
    await send(run, signal, lab);
    await until("skdocker to be stopped", () => stateOf(pid) === "T");
    expect(stateOf(first)).not.toBe("T");
    await goOn(run, lab);
    await run.waitFor(/got 18\./);
    expect(stateOf(pid)).not.toBe("T");
    expect(run.running).toBe(true);
    await run.kill("SIGKILL");
  });
}

test("signals that come while skdocker is suspended are passed on afterwards", async () => {
  using lab = Lab.create();
  const run = await listener(lab, [10, 15, 40]);
  const pid = await run.pid();
  await send(run, "STOP", lab);
  await until("skdocker to be stopped", () => stateOf(pid) === "T");
  for (const signal of [10, 15, 40]) await send(run, signal, lab);
  expect(run.stdout).toBe("ready\n");
  await goOn(run, lab);
  for (const signal of [10, 15, 40]) await run.waitFor(new RegExp(`got ${signal}\\.`));
  await run.kill("SIGKILL");
});

test("a reader that goes away ends the container's writing, and SIGPIPE is nobody's end", async () => {
  using lab = Lab.create();
  const before = lab.skdocker("run", "busybox", "true").code === 0 && await lab.settled();
  const piped = lab.run(["bash", "-c", `${lab.binary} run busybox yes | head -n 1; echo "\${PIPESTATUS[*]}"`]);
  expect(piped).toMatchObject({ code: 0, stdout: "y\n1 0\n" });
  const run = await listener(lab, [15]);
  await send(run, "PIPE", lab);
  await send(run, 15, lab);
  await run.waitFor(/got 15\./);
  expect(run.running).toBe(true);
  await run.kill("SIGKILL");
  await run.ended();
  expect(lab.skdocker("net", "ls").code).toBe(0);
  if (before) await lab.unchanged(before);
});

test("a signal that is ignored when skdocker is started (by nohup) is passed on, and is not ignored inside", async () => {
  using lab = Lab.create();
  const script =
    `trap "echo got 1." 1; grep SigIgn: /proc/self/status; echo ready; while :; do sleep 1000 & wait; done`;
  const run = lab.spawn([
    "sh",
    "-c",
    `trap '' HUP INT USR1; exec "$@"`,
    "sh",
    lab.binary,
    "run",
    "busybox",
    "sh",
    "-c",
    script,
  ]);
  await run.waitFor(/ready/);
  expect(run.stdout).toContain("SigIgn:\t0000000000000000");
  await send(run, 1, lab);
  await run.waitFor(/got 1\./);
  await run.kill("SIGKILL");
});
