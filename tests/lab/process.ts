/** Processes that run in a lab beside the test: what they print goes to files, so nothing has to be pumped. */
import { readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { until } from "./until.ts";

export interface Ended {
  /** The exit code, or 128 + the signal that ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The processes `pid` has as children now, by the machine's pids. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number)
    );
  } catch {
    // It has ended since it was named: then it has no children.
    return [];
  }
}

/** A process started by {@link Lab.spawn}. It ends at the latest with the lab. */
export class LabProcess {
  readonly #process: Bun.Subprocess;
  readonly #files: { stdout: string; stderr: string };
  readonly #subject: string;

  constructor(process: Bun.Subprocess, options: { stdout: string; stderr: string; subject: string }) {
    this.#process = process;
    this.#files = options;
    this.#subject = options.subject;
  }

  /** What it has printed so far. */
  get stdout(): string {
    return readFileSync(this.#files.stdout, "utf8");
  }

  get stderr(): string {
    return readFileSync(this.#files.stderr, "utf8");
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** The command's pid on the machine (nsenter, which entered the lab, is its parent). */
  async pid(): Promise<number> {
    return await until(`${this.#subject} to be started`, () => childrenOf(this.#process.pid)[0]);
  }

  /** The command's pid as processes inside the lab see it. */
  async labPid(): Promise<number> {
    const status = readFileSync(`/proc/${await this.pid()}/status`, "utf8");
    const own = /^NSpid:.*\t(\d+)$/m.exec(status)?.[1];
    if (own === undefined) throw new Error(`${this.#subject} has no pid in the lab`);
    return Number(own);
  }

  /** Sends a signal to the command itself, not to the nsenter around it. */
  async kill(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    process.kill(await this.pid(), signal);
  }

  /** Writes to its standard input (needs `stdin: "pipe"`). */
  write(text: string): void {
    const stdin = this.#process.stdin;
    if (stdin === undefined || stdin === null || typeof stdin === "number") throw new Error("it has no stdin pipe");
    stdin.write(text);
    stdin.flush();
  }

  /** Closes its standard input. */
  closeStdin(): void {
    const stdin = this.#process.stdin;
    if (stdin !== undefined && stdin !== null && typeof stdin !== "number") stdin.end();
  }

  /** Waits until what it printed matches, and returns the match. */
  async waitFor(pattern: RegExp, options: { timeout?: number } = {}): Promise<RegExpExecArray> {
    return await until(
      `${this.#subject} to print ${pattern}`,
      () => {
        const found = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
        if (found === null && !this.running) {
          throw new Error(`${this.#subject} ended without printing ${pattern}: ${this.stdout}${this.stderr}`);
        }
        return found ?? undefined;
      },
      options,
    );
  }

  /** Waits for its end. */
  async ended(options: { timeout?: number } = {}): Promise<Ended> {
    await until(`${this.#subject} to end`, () => !this.running, options);
    return { code: exitCode(this.#process), stdout: this.stdout, stderr: this.stderr };
  }
}

/** A process on a terminal of its own, started by {@link Lab.terminal}. */
export class LabTerminal {
  readonly #process: Bun.Subprocess;
  readonly #subject: string;
  #output = "";

  constructor(
    argv: string[],
    options: { env: Record<string, string>; cols?: number; rows?: number; subject: string },
  ) {
    this.#subject = options.subject;
    const decoder = new TextDecoder();
    this.#process = Bun.spawn(argv, {
      env: options.env,
      terminal: {
        cols: options.cols ?? 80,
        rows: options.rows ?? 24,
        name: "xterm",
        data: (_terminal, bytes) => {
          this.#output += decoder.decode(bytes, { stream: true });
        },
      },
    });
  }

  /** All the terminal has shown so far, its line ends as the terminal makes them (\r\n). */
  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** The command's pid on the machine. */
  async pid(): Promise<number> {
    return await until(`${this.#subject} to be started`, () => childrenOf(this.#process.pid)[0]);
  }

  /** Types; a line ends with "\r" or "\n", Ctrl-C is "\x03". */
  type(text: string): void {
    this.#process.terminal?.write(text);
  }

  /** Closes the terminal, as a connection that breaks does. */
  hangUp(): void {
    this.#process.terminal?.close();
  }

  resize(cols: number, rows: number): void {
    this.#process.terminal?.resize(cols, rows);
  }

  async waitFor(pattern: RegExp, options: { timeout?: number } = {}): Promise<RegExpExecArray> {
    return await until(
      `the terminal of ${this.#subject} to show ${pattern}`,
      () => {
        const found = pattern.exec(this.#output);
        if (found === null && !this.running) {
          throw new Error(`${this.#subject} ended without showing ${pattern}: ${this.#output}`);
        }
        return found ?? undefined;
      },
      options,
    );
  }

  /** Waits for its end. */
  async ended(options: { timeout?: number } = {}): Promise<{ code: number; output: string }> {
    await until(`${this.#subject} to end`, () => !this.running, options);
    return { code: exitCode(this.#process), output: this.#output };
  }
}

function exitCode(process: Bun.Subprocess): number {
  return process.exitCode ?? 128 + signalNumber(process.signalCode);
}

/** The number of a signal ("SIGKILL" is 9); 0 for none. */
export function signalNumber(signal: string | number | null | undefined): number {
  if (typeof signal === "number") return signal;
  return Object.entries(constants.signals).find(([name]) => name === signal)?.[1] ?? 0;
}
