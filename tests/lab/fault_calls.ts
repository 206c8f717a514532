/** Makes every system call of skdocker itself fail during a run, one after the other, and looks at what is left. */
import { expect } from "bun:test";
import { type FailOptions, FaultRuns, HostWatch, type Trial, wrongForm } from "./fault_runs.ts";
import { BUSY_HOST, type BusyHost, busyHost } from "./fault_world.ts";

/** Of the one failure after which nothing can be undone: where a process cannot leave a foreign namespace, it ends. */
const ENDED = "skdocker: a system call that must not fail has failed; the process ends\n";

/** What is wrong with how a run ended: it succeeded in silence, or failed with a sentence. */
export function wrongEnd(trial: Trial): string[] {
  // The first thing that is asked is whether there is a terminal; docker's answer and exit code where there is none.
  if (trial.code === 1 && trial.stderr === "skdocker: the input device is not a TTY\n") return [];
  // EIO is what a terminal answers that has gone: the container is hung up (128 + SIGHUP), as when a person leaves.
  const asksTerminal = ["read", "write", "ioctl"].includes(trial.hit.name ?? "");
  if (trial.code === 129 && trial.late && asksTerminal && trial.stderr === "") return [];
  const kept = trial.stderr.startsWith('skdocker: Cannot restore the settings of "the terminal on descriptor 0": EIO');
  if (trial.stdout !== (kept ? "other settings" : "")) return [`it printed ${JSON.stringify(trial.stdout)}`];
  if (trial.code === 0) return trial.stderr === "" ? [] : wrongForm(trial);
  return trial.code === 125 ? wrongForm(trial) : [`it exited with ${trial.code}`];
}

/**
 * All of it, for the command line that `words` makes. What fails before the container runs leaves nothing at all; of
 * what fails afterwards, while things are taken back, the next command leaves nothing.
 */
export async function failEverySystemCall(
  words: (world: BusyHost) => readonly string[],
  { env = {}, share = [1, 1] }: { env?: Readonly<Record<string, string>> } & Pick<FailOptions, "share"> = {},
): Promise<void> {
  using world = await busyHost(BUSY_HOST);
  const line = words(world);
  const runs = new FaultRuns(world.lab, line, { terminal: line.includes("-t"), env });
  runs.run(); // the first on a network makes what the others find
  const announced = runs.announced("SYSCALL");
  const watch = new HostWatch(world.lab, await world.lab.settled());
  const { trials, complaints } = await runs.failEach("SYSCALL", async (trial) => {
    const cleared = trial.late || trial.stderr === ENDED;
    return [...wrongEnd(trial), ...await (cleared ? world.clearedBy(watch) : watch.changes())];
  }, { share });
  expect(complaints).toEqual([]);
  // Some waits take a turn more or less.
  expect(Math.abs(trials - announced)).toBeLessThanOrEqual(announced / 20);
  expect(await watch.allChanges()).toEqual([]);
  expect(await world.lostPings()).toBe(0);
}
