/**
 * A start has failed, and while it is taken back every system call is made to fail, one after the other: the rest is
 * taken back all the same, one sentence tells of both failures, and the next command finds what is left.
 */
import { expect, test } from "bun:test";
import { FaultRuns, HostWatch, type PointKind, wrongForm } from "../lab/fault_runs.ts";
import { BUSY_HOST, busyHost, everything } from "../lab/fault_world.ts";

test.each([
  { what: "the way out of the container", kind: "STEP", operation: "add route", subject: "default" },
  { what: "the child, just before it becomes the command", kind: "CALL", operation: "wait for", subject: "the parent" },
])("two failures, the first of $what", async ({ kind, operation, subject }) => {
  using world = await busyHost(BUSY_HOST);
  const runs = new FaultRuns(world.lab, everything(world, "ptp"), { terminal: true });
  const first = runs.run().points.findLast((point) => {
    return point.point === kind && point.operation === operation && point.subject === subject;
  });
  if (!first) throw new Error(`no ${kind} is to ${operation} ${subject}`);
  const watch = new HostWatch(world.lab, await world.lab.settled());
  const failing = { [kind as PointKind]: first.count };
  const alone = runs.run(failing).stderr;
  const { trials, complaints } = await runs.failEach("AGAIN", async (trial) => [
    ...(trial.code === 125 ? [] : [`it exited with ${trial.code}`]),
    // Where it is the sentence that cannot be written, there is none.
    ...(trial.hit.name === "write" && trial.stderr === "" ? [] : wrongForm(trial)),
    ...await world.clearedBy(watch),
  ], { failing });
  expect(alone).toContain(`Cannot ${operation} "${subject}"`);
  expect(complaints).toEqual([]);
  expect(trials).toBeGreaterThan(25);
  expect(await world.lostPings()).toBe(0);
}, 300_000);
