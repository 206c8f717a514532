/** Makes every announced step of a start fail on a host with another container, and looks at what is left. */
import { expect } from "bun:test";
import { FaultRuns, HostWatch, wrongSentence } from "./fault_runs.ts";
import { BUSY_HOST, type BusyHost, busyHost } from "./fault_world.ts";

/** All of it, for the command line that `words` makes. */
export async function failEveryStep(words: (world: BusyHost) => readonly string[]): Promise<void> {
  using world = await busyHost(BUSY_HOST);
  const line = words(world);
  const terminal = line.includes("-t");
  const runs = new FaultRuns(world.lab, line, { terminal });
  const announced = runs.announced("STEP");
  expect(explained(world, line, { terminal })).toEqual({ commands: announced, said: announced });
  const watch = new HostWatch(world.lab, await world.lab.settled());
  const { trials, complaints } = await runs.failEach("STEP", async (trial) => {
    const { operation, subject } = trial.hit;
    const wrong = wrongSentence(trial, `Cannot ${operation} "${subject}": EIO (Input/output error)`);
    // A step that takes something back: what it left is on record, and the next command clears it away.
    return [...wrong, ...await (trial.late ? world.clearedBy(watch) : watch.changes())];
  });
  expect(complaints).toEqual([]);
  expect(trials).toBe(announced);
  expect(await watch.allChanges()).toEqual([]);
  expect(await world.lostPings()).toBe(0);
}

/** How many commands `--explain` prints, and how many steps it says there were. */
function explained({ lab }: BusyHost, [first = "", ...rest]: readonly string[], options: { terminal: boolean }) {
  const { code, stderr } = new FaultRuns(lab, [first, "--explain", ...rest], options).run();
  if (code !== 0) throw new Error(stderr);
  const lines = stderr.split("\n");
  return {
    commands: lines.filter((line) => /^[^#]/.test(line)).length,
    said: lines.reduce((sum, line) => sum + Number(/^# (\d+) steps?( to take things back)?$/.exec(line)?.[1] ?? 0), 0),
  };
}
