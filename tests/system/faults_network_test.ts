/**
 * Every step, and every system call of skdocker itself, is made to fail while the network is made, repaired or removed:
 * the same command given once more completes the work, and what is of others stays.
 */
import { expect, test } from "bun:test";
import { FaultRuns, type PointKind } from "../lab/fault_runs.ts";
import { wrongEnd } from "../lab/fault_calls.ts";
import { FirstHost } from "../lab/fault_first.ts";

const KINDS: readonly PointKind[] = ["STEP", "SYSCALL"];

test.each(KINDS)("net init, each %s failing", async (kind) => {
  using host = await FirstHost.create();
  const runs = new FaultRuns(host.lab, ["net", "init"]);
  const { trials, complaints } = await runs.failEach(kind, async (trial) => [
    ...wrongEnd(trial),
    ...await host.half(),
    ...host.must("net", "init"),
    ...await host.incomplete(),
    ...host.must("net", "reset", "--purge"),
    ...await host.unlikeVirgin(),
  ]);
  expect(complaints).toEqual([]);
  expect(trials).toBeGreaterThan(30);
}, 300_000);

test("the first start on a host, each step failing", async () => {
  using host = await FirstHost.create();
  const runs = new FaultRuns(host.lab, ["run", "--rm", "busybox", "true"]);
  const { trials, complaints } = await runs.failEach("STEP", async (trial) => [
    ...wrongEnd(trial),
    ...await host.half(),
    ...host.must("net", "reset", "--purge"),
    ...await host.unlikeVirgin(),
  ]);
  expect(complaints).toEqual([]);
  expect(trials).toBeGreaterThan(80);
}, 300_000);

test.each(KINDS)("net reset --purge, each %s failing", async (kind) => {
  using host = await FirstHost.create();
  const runs = new FaultRuns(host.lab, ["net", "reset", "--purge"]);
  expect(host.must("net", "init")).toEqual([]);
  const { trials, complaints } = await runs.failEach(kind, async (trial) => [
    ...wrongEnd(trial),
    ...host.must("net", "reset", "--purge"),
    ...await host.unlikeVirgin(),
    ...host.must("net", "init"),
  ]);
  expect(complaints).toEqual([]);
  expect(trials).toBeGreaterThan(2);
}, 300_000);
