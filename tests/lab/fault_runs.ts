/** One command, again and again, with another point of it made to fail each time (src/cli/faults.ts). */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { difference, type Lab, type Snapshot, until } from "../lab.ts";

/** What can be made to fail, by the names that the test build has for them. */
export type PointKind = "STEP" | "CALL" | "SYSCALL" | "AGAIN";

/** A point that a run came to. */
export interface Point {
  /** FINISH: all that was asked for is done; what follows takes things back. */
  readonly point: PointKind | "FINISH";
  readonly count: number;
  readonly fails: boolean;
  /** A system call's. */
  readonly name?: string;
  /** What the sentence of a failure is to say. */
  readonly operation?: string;
  readonly subject?: string;
  /** A call of the child's program to which there is a way around. */
  readonly skippable?: boolean;
}

/** How one run ended. */
export interface FaultRun {
  readonly code: number;
  /** Of a run on a terminal: "other settings" where it left it in others. */
  readonly stdout: string;
  /** Without what the test build says of its own when all went well. */
  readonly stderr: string;
  /** The points it came to, in order. */
  readonly points: readonly Point[];
}

/** A run of which a point failed. */
export interface Trial extends FaultRun {
  readonly hit: Point;
  /** Whether the container had run by then. */
  readonly late: boolean;
}

const FAULTS_BINARY = join(import.meta.dir, "../../dist/skdocker-faults");

/** More points than any command has: a loop that gets here has lost its way. */
const MOST_POINTS = 3000;

/** How {@link FaultRuns.failEach} goes on. */
export interface FailOptions {
  /** What fails beside. */
  readonly failing?: Partial<Record<PointKind, number>>;
  /** The first of two files that divide the points among them: [1, 2]. */
  readonly share?: readonly [which: number, of: number];
}

/** Runs of one command line in a lab. */
export class FaultRuns {
  readonly #lab: Lab;
  readonly #words: readonly string[];
  readonly #terminal: boolean;
  readonly #env: Readonly<Record<string, string>>;

  /** `terminal`: on a pseudo-terminal, whose settings must be the same before and after. */
  constructor(
    lab: Lab,
    words: readonly string[],
    { terminal = false, env = {} }: { terminal?: boolean; env?: Readonly<Record<string, string>> } = {},
  ) {
    this.#lab = lab;
    this.#words = words;
    this.#terminal = terminal;
    this.#env = env;
  }

  /** Runs it with the named points made to fail. */
  run(failing: Partial<Record<PointKind, number>> = {}): FaultRun {
    const log = join(this.#lab.directory, "faults.log");
    rmSync(log, { force: true });
    const env: Record<string, string> = { ...this.#env, SKDOCKER_FAIL_LOG: log };
    for (const [kind, count] of Object.entries(failing)) env[`SKDOCKER_FAIL_${kind}`] = String(count);
    const { code, stdout, stderr } = this.#terminal
      ? this.#onTerminal(env)
      : this.#lab.run([FAULTS_BINARY, ...this.#words], { env });
    const text = existsSync(log) ? readFileSync(log, "utf8") : "";
    const points = text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Point);
    return { code, stdout, stderr: stderr.replace(/^skdocker-faults: .*\n/m, ""), points };
  }

  /** How many points of a kind a run comes to when nothing fails, and that nothing does. */
  announced(kind: PointKind): number {
    const { code, stderr, points } = this.run();
    if (code !== 0 || stderr !== "") throw new Error(`without a fault it exits with ${code}: ${stderr}`);
    return points.filter(({ point }) => point === kind).length;
  }

  /**
   * Makes each point of a kind fail in turn, from the first to the last that is come to, and lets `judge` complain of
   * each run. Returns how many there were, and all complaints.
   */
  async failEach(
    kind: PointKind,
    judge: (trial: Trial) => Promise<readonly string[]>,
    { failing = {}, share = [1, 1] }: FailOptions = {},
  ): Promise<{ readonly trials: number; readonly complaints: readonly string[] }> {
    const complaints: string[] = [];
    const [which, of] = share;
    for (let count = 1; count < MOST_POINTS; count++) {
      if (count % of !== which % of) continue;
      const run = this.run({ ...failing, [kind]: count });
      const at = run.points.findIndex(({ point, fails }) => point === kind && fails);
      const hit = run.points[at];
      // The last of them may be another file's.
      if (!hit) return { trials: Math.max(0, count - of), complaints };
      const finished = run.points.findIndex(({ point }) => point === "FINISH");
      const said = await judge({ ...run, hit, late: finished >= 0 && finished < at });
      const what = [hit.name, hit.operation, hit.subject].filter((word) => word !== undefined).join(" ");
      complaints.push(...said.map((complaint) => `${kind} ${count} (${what}): ${complaint}`));
      if (complaints.length > 20) throw new Error(complaints.join("\n")); // what is broken so widely needs no more
    }
    throw new Error(`there is no end of points of kind ${kind}`);
  }

  /** stderr is kept apart from the terminal. */
  #onTerminal(env: Record<string, string>): { code: number; stdout: string; stderr: string } {
    const errors = join(this.#lab.directory, "faults.err");
    const script =
      'before=$(stty -g); "$@" 2>"$0"; code=$?; [ "$before" = "$(stty -g)" ] || echo "other settings"; exit $code';
    const { code, stdout } = this.#lab.run(["sh", "-c", script, errors, FAULTS_BINARY, ...this.#words], {
      env,
      tty: true,
    });
    // script(1) types an end of file, which the terminal may show.
    return { code, stdout: stdout.replace(/\0|\^@|\^D|\x08/g, "").trim(), stderr: readFileSync(errors, "utf8") };
  }
}

/** What is wrong with how a start that failed at a point says so: one line, that names what failed. */
export function wrongSentence({ code, stdout, stderr }: FaultRun, sentence: string, exit = 125): string[] {
  const wrong: string[] = [];
  if (code !== exit) wrong.push(`it exited with ${code}`);
  if (stdout !== "") wrong.push(`it printed ${JSON.stringify(stdout)}`);
  if (stderr !== `skdocker: ${sentence}\n`) {
    wrong.push(`it said ${JSON.stringify(stderr)}, not ${JSON.stringify(sentence)}`);
  }
  return wrong;
}

/** What is wrong with a sentence, whatever it is to say: more than one, or none, or something that is no sentence. */
export function wrongForm({ stderr }: FaultRun): string[] {
  const isSentence = /^skdocker: (Cannot|There|The|No|"|a system call) ?[^\n]{8,}\n$/.test(stderr);
  const isClear = !/undefined|\[object|is not a function|errno 0|Error:|without a message/.test(stderr);
  return isSentence && isClear ? [] : [`it said ${JSON.stringify(stderr)}`];
}

/** Every how many comparisons the kernel's parameters are compared, too: they take as long as all the rest. */
const SYSCTLS_EVERY = 10;

/** A host that is to stay as it is, compared again and again. */
export class HostWatch {
  readonly #lab: Lab;
  readonly #before: Snapshot;
  #comparisons = 0;

  constructor(lab: Lab, before: Snapshot) {
    this.#lab = lab;
    this.#before = before;
  }

  /** What differs from before, a moment after a run at most (the kernel removes links and cgroups a little later). */
  async changes({ timeout = 3000 }: { timeout?: number } = {}): Promise<string[]> {
    const sysctls = ++this.#comparisons % SYSCTLS_EVERY === 0;
    return await this.#changes({ sysctls, timeout });
  }

  /** The same with everything that can be compared. */
  async allChanges(): Promise<string[]> {
    return await this.#changes({ sysctls: true, timeout: 3000 });
  }

  async #changes({ sysctls, timeout }: { sysctls: boolean; timeout: number }): Promise<string[]> {
    const { sysctls: parameters, ...rest } = this.#before;
    const before: Snapshot = sysctls && parameters ? this.#before : rest;
    let changes: string[] = [];
    const same = () => (changes = difference(before, this.#lab.snapshot({ sysctls }))).length === 0;
    await until("the host to be as before", same, { timeout }).catch(() => {}); // said by what differs
    return changes;
  }
}
