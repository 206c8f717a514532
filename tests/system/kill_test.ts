/** kill -9 of skdocker at every system call of a run: the next command ends and reclaims whatever is left. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { hostState, killAtEach, Killer, namespaces } from "../lab/kill.ts";
import { Lab, until } from "../lab.ts";

const TIMEOUT = { timeout: 240_000 };

test("wherever a run on the bridge is killed, nothing outlives the next command", async () => {
  using lab = Lab.create();
  expect(lab.skdocker("run", "--rm", "busybox", "true").code).toBe(0);
  const killer = new Killer(lab);
  const args = ["run", "--rm", "busybox", "sleep", "1000"];
  const hit = await killAtEach({ lab, killer, args, points: await killer.points(args, 10_000) });
  // Every system call that is skdocker's own is a point. A run makes a few more or less of the engine's each time.
  expect(hit.length).toBeGreaterThan(200);
  expect(hit.filter(({ phase }) => phase === "start").length).toBeGreaterThan(150);
  expect(hit.filter(({ phase }) => phase === "supervision").length).toBeGreaterThan(0);
  expect(hit.filter(({ phase }) => phase === "end").length).toBeGreaterThan(20);
}, TIMEOUT);

test("a command never starts whose supervisor has died before it asked for the parent-death signal", async () => {
  using lab = Lab.create();
  expect(lab.skdocker("run", "--rm", "busybox", "true").code).toBe(0);
  const before = await hostState(lab);
  const script = "echo ran >/out/ran; sleep 1000";
  const killer = new Killer(lab);
  const { hit } = killer.at("behind", ["run", "-v", `${lab.directory}:/out`, "busybox", "sh", "-c", script]);
  expect(hit).toBe(true);
  await until("the child to end by itself", () => namespaces(lab) === before.namespaces);
  expect(existsSync(join(lab.directory, "ran"))).toBe(false);
  expect(lab.skdocker("net", "ls").code).toBe(0);
  await lab.unchanged(before.snapshot);
});

test("a child that has not even begun does not make its dead supervisor's container seem alive", async () => {
  using lab = Lab.create();
  expect(lab.skdocker("run", "--rm", "busybox", "true").code).toBe(0);
  const before = await hostState(lab);
  const { hit } = new Killer(lab).at("stopped", ["run", "busybox", "sleep", "1000"]);
  expect(hit).toBe(true);
  expect(namespaces(lab)).not.toBe(before.namespaces);
  expect(lab.skdocker("net", "ls")).toMatchObject({ code: 0, stderr: "" });
  await lab.unchanged(before.snapshot);
  expect(namespaces(lab)).toBe(before.namespaces);
});
