/** Killing skdocker (SIGKILL) at a chosen system call of its main thread, by kill_at.c. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { difference, type Lab, type Snapshot } from "../lab.ts";

/**
 * Where a process is to be killed: at its N-th system call (0: never), at its first wait for events, or just after its
 * go, its child being far behind and going on then, or being stopped and staying so.
 */
type KillPoint = number | "supervised" | "behind" | "stopped";

/** What became of a process that was to be killed. */
export interface Killed {
  /** False: it ended by itself, before it came to that point. */
  readonly hit: boolean;
  /** The point where it was killed, or how many there were. */
  readonly point: number;
  /** The number of the system call that was not done any more; where it ended by itself, the point of its first wait. */
  readonly call: number;
  /** "start": up to the first wait for events; "supervision": from there on; "end": after the container was ended. */
  readonly phase: "start" | "supervision" | "end";
}

const PHASES = ["start", "supervision", "end"] as const;

/** Kills skdocker in a lab. */
export class Killer {
  readonly #lab: Lab;
  readonly #tool: string;
  /** Before the command's own system calls the engine makes these, whatever the command. */
  readonly #engine: number;

  /** Compiles the tool, into the lab's directory. */
  constructor(lab: Lab) {
    this.#lab = lab;
    this.#tool = join(lab.directory, "kill_at");
    lab.output(["gcc", "-O2", "-Wall", "-o", this.#tool, join(import.meta.dir, "kill_at.c")]);
    this.#engine = this.count(["version"]) - 20;
  }

  /**
   * Runs skdocker and kills it. A container of its own is ended (SIGKILL) once it is supervised, so that what follows
   * its end can be reached. Input and output are the null device: nobody who is left holds the test up.
   */
  at(point: KillPoint, args: readonly string[]): Killed {
    const told = join(this.#lab.directory, "killed");
    const where = typeof point === "number" ? ["--end", String(point)] : [`--${point}`];
    const script = 'told=$1; shift; exec "$@" </dev/null >/dev/null 2>&1 3>"$told"';
    const { code, stderr } = this.#lab.run(
      ["sh", "-c", script, "sh", told, this.#tool, ...where, this.#lab.binary, ...args],
    );
    const [what, at, call, phase] = readFileSync(told, "utf8").trim().split(" ");
    if (what === undefined || phase === undefined) throw new Error(`kill_at told nothing (${code}): ${stderr}`);
    return { hit: what === "killed", point: Number(at), call: Number(call), phase: PHASES[Number(phase)] ?? "start" };
  }

  /** How many system calls there are when nobody interferes, those about the engine's memory and threads aside. */
  count(args: readonly string[]): number {
    return this.at(0, args).point;
  }

  /**
   * Points spread evenly over all that a command does itself, `wanted` of them, or each if there are fewer; and each of
   * those about the moment when a container has been let go and is supervised from then on.
   */
  async points(args: readonly string[], wanted: number, { prepare }: Around = {}): Promise<KillPoint[]> {
    await prepare?.();
    const { point: all, call: firstWait } = this.at(0, args);
    const points = new Set<number>();
    const step = Math.max(1, (all - this.#engine) / wanted);
    for (let point = this.#engine; point < all; point += step) points.add(Math.round(point));
    if (firstWait === 0) return [...points];
    for (let point = firstWait - 12; point < firstWait + 4; point++) points.add(point);
    return [...[...points].sort((a, b) => a - b), "supervised"];
  }
}

/** What the host is to be like after the next command. */
export interface HostState {
  readonly snapshot: Snapshot;
  readonly namespaces: string;
}

/** The host at rest. */
export async function hostState(lab: Lab): Promise<HostState> {
  return { snapshot: await lab.settled(), namespaces: namespaces(lab) };
}

/** The namespaces that processes of the lab are in: a process in one of its own is one too many. */
export function namespaces(lab: Lab): string {
  return lab.shell("readlink /proc/[0-9]*/ns/* 2>/dev/null | sort -u");
}

/** What is done around each kill. */
export interface Around {
  /** Makes the host ready for the next kill. */
  readonly prepare?: () => void | Promise<void>;
  /** Called just after it. */
  readonly killed?: (killed: Killed) => void | Promise<void>;
  /** The next command, which must succeed in silence; `net ls` unless given. */
  readonly next?: readonly string[];
  /** What the host must be like after it; as before the first kill unless given. */
  readonly wanted?: HostState;
}

/**
 * Kills a command at each of the points; after each, the next command must leave the host as it is wanted, its
 * namespaces included. Returns what was hit; throws with all that differs where something does.
 */
export async function killAtEach(
  { lab, killer, points, args }: { lab: Lab; killer: Killer; points: readonly KillPoint[]; args: readonly string[] },
  { prepare, killed: afterKill, next = ["net", "ls"], wanted }: Around = {},
): Promise<Killed[]> {
  const state = wanted ?? await hostState(lab);
  const hit: Killed[] = [];
  for (const point of points) {
    await prepare?.();
    const killed = killer.at(point, args);
    if (killed.hit) hit.push(killed);
    await afterKill?.(killed);
    const { code, stderr } = lab.skdocker(...next);
    const differences = await differencesFrom(lab, state);
    if (code !== 0 || stderr !== "") differences.push(`${next.join(" ")} exited with ${code}: ${stderr}`);
    if (differences.length === 0) continue;
    const where = `killed at ${point}, before system call ${killed.call} of its ${killed.phase}`;
    throw new Error(`${args.join(" ")}, ${where}:\n${differences.join("\n")}`);
  }
  return hit;
}

/** What is not as wanted, once processes that were told to end have had a second for it. */
async function differencesFrom(lab: Lab, wanted: HostState): Promise<string[]> {
  try {
    await lab.unchanged(wanted.snapshot, { timeout: 1000 });
  } catch {
    return difference(wanted.snapshot, lab.snapshot());
  }
  return namespaces(lab) === wanted.namespaces ? [] : ["namespaces that are held by a process"];
}
