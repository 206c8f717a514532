/** kill -9 of skdocker, for each kind of container: other users, set-uid commands, directories, terminals, networks. */
import { expect, test } from "bun:test";
import { hostState, killAtEach, Killer, namespaces } from "../lab/kill.ts";
import { Lab, until } from "../lab.ts";

const TIMEOUT = { timeout: 200_000 };
/** Points of each run, spread over all of it; those about the moment of the go come on top. */
const POINTS = 20;
const SLEEP = ["busybox", "sleep", "1000"];

/** A lab with a network, and `root`: a directory with a busybox, and a set-uid one. */
function newLab(): { lab: Lab; root: string } {
  const lab = Lab.create();
  const root = `${lab.directory}/root`;
  lab.shell(`mkdir -p ${root}/bin; cp /bin/busybox ${root}/bin/sleep
    cp /bin/busybox ${root}/bin/busybox; chmod 4755 ${root}/bin/busybox`);
  expect(lab.skdocker("run", "--rm", "busybox", "true").code).toBe(0);
  return { lab, root };
}

const kinds: Readonly<Record<string, readonly string[]>> = {
  "of another user": ["-u", "1000", ...SLEEP],
  "with a terminal": ["-t", ...SLEEP],
  "with a name, an init and limits": ["--name", "blue", "--init", "-m", "64m", "--pids-limit", "9", ...SLEEP],
  "on a pair of its own": ["--network", "ptp", ...SLEEP],
  "without a network": ["--network", "none", ...SLEEP],
};

for (const [kind, words] of Object.entries(kinds)) {
  test(`a container ${kind} ends with its supervisor, and the next run reclaims what it had`, async () => {
    const { lab: made } = newLab();
    using lab = made;
    const killer = new Killer(lab);
    const args = ["run", "--rm", ...words];
    killer.count(args); // what a first run of the kind makes for all of them
    const before = await hostState(lab);
    const killed = async () => {
      await until("the container to end without any help", () => namespaces(lab) === before.namespaces);
    };
    const points = await killer.points(args, POINTS);
    const next = ["run", "--rm", "busybox", "true"];
    const hit = await killAtEach({ lab, killer, args, points }, { killed, next, wanted: before });
    expect(hit.length).toBeGreaterThan(POINTS);
    expect(hit.some(({ phase }) => phase === "end")).toBe(true);
  }, TIMEOUT);
}

test("a set-uid command outlives its supervisor, and the next command ends it", async () => {
  const { lab: made, root } = newLab();
  using lab = made;
  const killer = new Killer(lab);
  const args = ["run", "--rm", "-u", "1000", root, "/bin/busybox", "sleep", "1000"];
  let outlived = 0;
  const killed = () => {
    if (lab.run(["pgrep", "-xf", "/bin/busybox sleep 1000"]).code === 0) outlived++;
  };
  const hit = await killAtEach({ lab, killer, args, points: await killer.points(args, POINTS) }, { killed });
  expect(hit.length).toBeGreaterThan(POINTS);
  expect(outlived).toBeGreaterThan(0);
}, TIMEOUT);

test("a directory used as root file system is left as it was found, wherever its container is killed", async () => {
  const { lab: made, root } = newLab();
  using lab = made;
  const killer = new Killer(lab);
  const args = ["run", "--rm", "-w", "/work", root, "sleep", "1000"];
  const found = lab.shell(`find ${root}`);
  const wanted = await hostState(lab);
  for (const point of await killer.points(args, 2 * POINTS)) {
    await killAtEach({ lab, killer, args, points: [point] }, { wanted });
    expect(lab.shell(`find ${root}`)).toBe(found);
  }
}, TIMEOUT);

test("who has joined another container's network leaves it when killed", async () => {
  const { lab: made } = newLab();
  using lab = made;
  const target = lab.start("run", "--rm", "--name", "blue", ...SLEEP);
  await until("blue to run", () => lab.run(["pgrep", "-xf", "sleep 1000"]).code === 0);
  const killer = new Killer(lab);
  const args = ["run", "--rm", "--network", "container:blue", "busybox", "sleep", "2000"];
  killer.count(args);
  const hit = await killAtEach({ lab, killer, args, points: await killer.points(args, POINTS) });
  expect(hit.some(({ phase }) => phase === "end")).toBe(true);
  expect(target.running).toBe(true);
}, TIMEOUT);
