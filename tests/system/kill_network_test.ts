/** kill -9 of what makes and repairs the network: doing it again completes it. */
import { expect, test } from "bun:test";
import { hostState, killAtEach, Killer } from "../lab/kill.ts";
import { Lab, until } from "../lab.ts";

const TIMEOUT = { timeout: 200_000 };
const SLEEP = ["run", "--rm", "--name", "blue", "busybox", "sleep", "1000"];
/** Points of each command: about every third system call. */
const POINTS = 100;

function succeed(lab: Lab, ...args: string[]): void {
  expect({ args, ...lab.skdocker(...args) }).toMatchObject({ args, code: 0, stderr: "" });
}

test("net init killed at any system call is completed by net init", async () => {
  using lab = Lab.create();
  const killer = new Killer(lab);
  const prepare = () => succeed(lab, "net", "reset", "--purge");
  const points = await killer.points(["net", "init"], POINTS, { prepare });
  const around = { prepare, next: ["net", "init"], wanted: await hostState(lab) };
  const hit = await killAtEach({ lab, killer, args: ["net", "init"], points }, around);
  expect(hit.length).toBeGreaterThan(points.length * 0.9);
}, TIMEOUT);

test("net reset killed at any system call is completed by net reset, under a running container", async () => {
  using lab = Lab.create();
  const killer = new Killer(lab);
  const container = lab.start(...SLEEP);
  await until("blue to run", () => lab.run(["pgrep", "-xf", "sleep 1000"]).code === 0);
  const wanted = await hostState(lab);
  const prepare = () => {
    lab.shell(`nft delete table inet skdocker; ip address flush dev skbr0
      for port in $(ls /sys/class/net/skbr0/brif); do ip link set $port nomaster; done`);
  };
  const points = await killer.points(["net", "reset"], POINTS, { prepare });
  const around = { prepare, next: ["net", "reset"], wanted };
  const hit = await killAtEach({ lab, killer, args: ["net", "reset"], points }, around);
  expect(hit.length).toBeGreaterThan(points.length * 0.9);
  expect(container.running).toBe(true);
}, TIMEOUT);
