/**
 * Every system call between clone and execve, of the child and of the file that it becomes for its last steps, is made
 * to fail: each time one sentence names it, and the host is as before.
 */
import { expect, test } from "bun:test";
import { FaultRuns, HostWatch, type Trial, wrongForm, wrongSentence } from "../lab/fault_runs.ts";
import { BUSY_HOST, busyHost, everything, plain } from "../lab/fault_world.ts";

/** What the sentence is to be, and the exit code: what concerns the command itself is told as docker does. */
function wrongWith(trial: Trial): string[] {
  const { operation, subject, skippable } = trial.hit;
  if (skippable && trial.code === 0) return wrongIfSkipped(trial);
  const why = "EBADF (Bad file descriptor)";
  if (operation === "execute") return wrongSentence(trial, `Cannot execute "${subject}": ${why}`, 126);
  if (operation === "change the working directory to") {
    return wrongSentence(trial, `Cannot change the working directory to "${subject}": ${why}`);
  }
  return [...wrongForm(trial), ...wrongSentence(trial, `Cannot ${operation} "${subject}": ${why}`)];
}

/** A call that was not come to, because the way led around it. */
function wrongIfSkipped({ stdout, stderr }: Trial): string[] {
  return stdout === "" && stderr === "" ? [] : [`it printed ${JSON.stringify(stdout + stderr)}`];
}

test.each([
  { what: "a plain container", line: plain },
  { what: "a container with everything", line: everything },
])("every system call of the child of $what", async ({ line }) => {
  using world = await busyHost(BUSY_HOST);
  const words = line(world, "bridge");
  const runs = new FaultRuns(world.lab, words, { terminal: words.includes("-t") });
  const announced = runs.announced("CALL");
  const watch = new HostWatch(world.lab, await world.lab.settled());
  let failed = 0;
  const { trials, complaints } = await runs.failEach("CALL", async (trial) => {
    if (trial.code !== 0) failed++;
    return [...wrongWith(trial), ...await watch.changes()];
  });
  expect(complaints).toEqual([]);
  expect(trials).toBe(announced);
  // The command is found at once, or at one place of many; nothing else has a way around it.
  expect(announced - failed).toBeLessThanOrEqual(10);
  expect(await watch.allChanges()).toEqual([]);
  expect(await world.lostPings()).toBe(0);
}, 300_000);
