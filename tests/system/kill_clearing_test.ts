/** kill -9 of what removes the network, makes it for the first run, and clears up: the next command completes it. */
import { expect, test } from "bun:test";
import { hostState, killAtEach, Killer } from "../lab/kill.ts";
import { Lab, until } from "../lab.ts";

const TIMEOUT = { timeout: 200_000 };

function succeed(lab: Lab, ...args: string[]): void {
  expect({ args, ...lab.skdocker(...args) }).toMatchObject({ args, code: 0, stderr: "" });
}

test("net reset --purge killed at any system call is completed by net reset --purge", async () => {
  using lab = Lab.create();
  lab.shell("rmdir /run/skdocker 2>/dev/null || true");
  const wanted = await hostState(lab);
  const killer = new Killer(lab);
  const args = ["net", "reset", "--purge"];
  const prepare = () => succeed(lab, "net", "init");
  const points = await killer.points(args, 80, { prepare });
  const hit = await killAtEach({ lab, killer, args, points }, { prepare, next: args, wanted });
  expect(hit.length).toBeGreaterThan(60);
}, TIMEOUT);

test("the first run of all killed anywhere leaves nothing that the next run does not take over", async () => {
  using lab = Lab.create();
  const killer = new Killer(lab);
  const args = ["run", "--rm", "busybox", "sleep", "1000"];
  const prepare = () => succeed(lab, "net", "reset", "--purge");
  const points = await killer.points(args, 35, { prepare });
  const next = ["run", "--rm", "busybox", "true"];
  succeed(lab, ...next);
  const hit = await killAtEach({ lab, killer, args, points }, { prepare, next, wanted: await hostState(lab) });
  expect(hit.length).toBeGreaterThan(30);
}, TIMEOUT);

test("a command killed while it clears up after a dead one is followed by one that finishes", async () => {
  using lab = Lab.create();
  const root = `${lab.directory}/root`;
  lab.shell(`mkdir -p ${root}/bin; cp /bin/busybox ${root}/bin/busybox; chmod 4755 ${root}/bin/busybox`);
  succeed(lab, "run", "--rm", "busybox", "true");
  const killer = new Killer(lab);
  const prepare = async () => {
    const words = ["--name", "dead", "-u", "1000", root, "/bin/busybox", "sleep", "1000"];
    const run = lab.start("run", "--rm", "--network", "ptp", ...words);
    await until("the command to run", () => lab.run(["pgrep", "-xf", "/bin/busybox sleep 1000"]).code === 0);
    await run.kill("SIGKILL");
    await run.ended();
  };
  const points = await killer.points(["net", "ls"], 50, { prepare });
  const hit = await killAtEach({ lab, killer, args: ["net", "ls"], points }, { prepare, wanted: await hostState(lab) });
  expect(hit.length).toBeGreaterThan(40);
}, TIMEOUT);
