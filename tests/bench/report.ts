/** The table of results, as Markdown, and its place in docs/performance.md. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { ratiosOf, type Samples, spreadOf } from "./sample.ts";

/** One line of the table. */
export interface Row {
  readonly what: string;
  readonly ours: string;
  readonly theirs: string;
  readonly ratio: string;
  readonly goal: string;
  /** undefined: no goal, or not comparable. */
  readonly met?: boolean;
}

const BEGIN = "<!-- bench: begin -->";
const END = "<!-- bench: end -->";

/** Three digits are all that such a measurement carries. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** "12.3 ms (11.0–14.1)": the median and the 10th to 90th percentile. */
function shown(samples: Samples, unit: string): string {
  const { median, p10, p90 } = spreadOf(samples);
  return `${digits(median)} ${unit} (${digits(p10)}–${digits(p90)})`;
}

export interface Comparison {
  readonly what: string;
  readonly ours: Samples;
  readonly theirs: Samples;
  /** Who `theirs` are. */
  readonly rival: string;
  /** ms unless given. */
  readonly unit?: string;
  /** The ratio of medians must be at most this, or at least this. */
  readonly atMost?: number;
  readonly atLeast?: number;
  /** Whether sample n of one and sample n of the other were taken in the same round. */
  readonly paired?: boolean;
}

export function compare(comparison: Comparison): Row {
  const { ours, theirs, atMost, atLeast, unit = "ms" } = comparison;
  const { ofMedians, medianOf } = ratiosOf(ours, theirs);
  const paired = comparison.paired ?? true;
  const met = atMost !== undefined ? ofMedians <= atMost : atLeast !== undefined ? ofMedians >= atLeast : undefined;
  return {
    what: comparison.what,
    ours: shown(ours, unit),
    theirs: `${comparison.rival}: ${shown(theirs, unit)}`,
    ratio: paired ? `${ofMedians.toFixed(3)} / ${medianOf.toFixed(3)}` : ofMedians.toFixed(3),
    goal: atMost !== undefined ? `≤ ${atMost}` : atLeast !== undefined ? `≥ ${atLeast}` : "",
    ...(met === undefined ? {} : { met }),
  };
}

/** What was measured on: no names, only what explains the figures. */
function machine(): string {
  const [cpu] = cpus();
  const read = (argv: string[]) => Bun.spawnSync(argv).stdout.toString().trim().split("\n")[0] ?? "";
  const memory = (totalmem() / 1e9).toFixed(0);
  const versions = `Linux ${read(["uname", "-r"])}, ${read(["getconf", "GNU_LIBC_VERSION"])}, Bun ${Bun.version}`;
  const rivals = ["dockerd", "podman", "runc"]
    .filter((name) => Bun.which(name) !== null)
    .map((name) => `${name} ${/\d+\.\d+[\d.]*/.exec(read([name, "--version"]))?.[0] ?? ""}`);
  const governor = existsSync("/sys/class/dmi/id/product_name") ? "" : ", a virtual machine";
  return `${cpus().length} × ${cpu?.model ?? "processor"}${governor}, ${memory} GB; ${
    [versions, ...rivals].join(", ")
  }.`;
}

export function table(rows: readonly Row[], options: { rounds: number; skdocker: string }): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    `Measured ${
      new Date().toISOString().slice(0, 10)
    } with ${options.skdocker} by \`scripts/bench --rounds ${options.rounds}\` on`,
    machine(),
    "",
    line(["what", "skdocker", "against", "ratio", "goal", ""]),
    line(["---", "---", "---", "---", "---", "---"]),
    ...rows.map((row) =>
      line([
        row.what,
        row.ours,
        row.theirs,
        row.ratio,
        row.goal,
        row.met === undefined ? "" : row.met ? "met" : "missed",
      ])
    ),
  ].join("\n");
}

/** Puts the table between the markers; a file without them gets them at its end. */
export function writeTable(path: string, text: string): void {
  const old = existsSync(path) ? readFileSync(path, "utf8") : "# Performance\n";
  const block = `${BEGIN}\n\n${text}\n\n${END}`;
  const begin = old.indexOf(BEGIN);
  const end = old.indexOf(END);
  const whole = begin >= 0 && end > begin
    ? old.slice(0, begin) + block + old.slice(end + END.length)
    : `${old.trimEnd()}\n\n${block}\n`;
  writeFileSync(path, whole);
}
