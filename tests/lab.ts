/**
 * A lab: a "host" and an "internet" in namespaces of their own (see tests/lab/world.sh), so that system tests use
 * real links, rules, mounts and processes, side by side, and the machine's own network is never touched.
 *
 *     using lab = Lab.create();
 *     const result = lab.skdocker("run", "--rm", "busybox", "true");
 *     expect(lab.ip("link", "show")).…
 *
 * Inside, pids, /run, /var/lib/skdocker, /etc/hosts, /etc/resolv.conf and the cgroups are the lab's own; everything
 * ends with the lab, also when the test's process is killed.
 */
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { childrenOf, type Ended, LabProcess, LabTerminal, signalNumber } from "./lab/process.ts";
import { difference, parseSnapshot, type Snapshot, snapshotScript } from "./lab/snapshot.ts";
import { until } from "./lab/until.ts";

export type { Ended, LabProcess, LabTerminal, Snapshot };
export { difference, until };

export interface LabOptions {
  /** The MTU of the host's uplink eth0; 1500 unless given. */
  readonly mtu?: number;
  /** The content of the host's /etc/resolv.conf; unless given, it names 220.181.38.152. */
  readonly resolvConf?: string;
  /** bridge-nf-call-iptables: whether bridged frames pass the IP hooks; 0 unless given. */
  readonly bridgeNetfilter?: 0 | 1;
  /** "own": cgroups of the lab alone (the default). "machine": the machine's, for tools that need to see the root. */
  readonly cgroups?: "own" | "machine";
  /** The skdocker to test; dist/skdocker unless given here or in SKDOCKER_BINARY. */
  readonly binary?: string;
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array;
  /** Added to the lab's own small environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** In ms, 30 s unless given: then the command is killed and run() throws. */
  readonly timeout?: number;
  readonly cwd?: string;
  /** On a pseudo-terminal, by script(1): stdout and stderr are one, lines end with \r\n. */
  readonly tty?: boolean;
}

export interface SpawnOptions {
  readonly stdin?: "pipe" | "ignore" | string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const PREFIX = "sklab-";
const ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LANG: "C.UTF-8",
};

let labs = 0;

export class Lab implements Disposable {
  /** A directory of the lab's own, at the same path inside: place for root file systems and the like. */
  readonly directory: string;
  /** Where skdocker keeps its data and its run-time state in this lab (the defaults). */
  readonly dataRoot = "/var/lib/skdocker";
  readonly runRoot = "/run/skdocker";
  /** Place for one root file system that snapshots tell of, too. Not there unless a test makes it. */
  get rootfs(): string {
    return join(this.directory, "rootfs");
  }
  /** The skdocker under test. */
  readonly binary: string;
  /** The host's address on eth0. */
  readonly hostAddress = "10.0.24.5";
  /** The internet's address of baidu.com: name server (UDP and TCP 53) and web server (TCP 80). */
  readonly internetAddress = "220.181.38.152";

  readonly #name: string;
  readonly #holder: number;
  #spawned = 0;

  private constructor(options: { name: string; directory: string; holder: number; binary: string }) {
    this.#name = options.name;
    this.directory = options.directory;
    this.#holder = options.holder;
    this.binary = options.binary;
  }

  /** Builds the world and returns when the host reaches the internet by address and by name (about 0.3 s). */
  static create(options: LabOptions = {}): Lab {
    removeLeftovers();
    const name = `${PREFIX}${process.pid}-${labs++}`;
    const directory = mkdtempSync(join(tmpdir(), `${name}-`));
    const log = openSync(join(directory, "world.log"), "w");
    // Whatever becomes of this process: with it goes unshare, with that the first process, with that all the others.
    const world = Bun.spawn([
      ...["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--propagation", "private"],
      ...["--fork", "--kill-child=KILL", "bash", join(import.meta.dir, "lab/world.sh"), directory, name],
    ], {
      env: {
        ...ENVIRONMENT,
        LAB_MTU: String(options.mtu ?? 1500),
        LAB_BRIDGE_NF: String(options.bridgeNetfilter ?? 0),
        LAB_CGROUPS: options.cgroups ?? "own",
        LAB_RESOLV_CONF: options.resolvConf ?? "nameserver 220.181.38.152\n",
      },
      stdio: ["ignore", log, log],
    });
    world.unref();
    closeSync(log);
    const holder = awaitWorld(world.pid, directory);
    const binary = resolve(
      options.binary ?? process.env["SKDOCKER_BINARY"] ?? join(import.meta.dir, "../dist/skdocker"),
    );
    return new Lab({ name, directory, holder, binary });
  }

  /** Runs a command in the host's namespaces and waits for it. A non-zero exit is a result, not an error. */
  run(argv: readonly string[], options: RunOptions = {}): Ended {
    const timeout = options.timeout ?? 30_000;
    const command = options.tty === true ? ["script", "-qec", quote(argv), "/dev/null"] : argv;
    const started = performance.now();
    const done = Bun.spawnSync(
      this.#enter(["timeout", "--foreground", "-s", "KILL", String(timeout / 1000), ...command], options.cwd),
      {
        env: { ...ENVIRONMENT, ...options.env },
        stdin: options.stdin === undefined ? "ignore" : new Blob([options.stdin]),
      },
    );
    const stdout = done.stdout.toString();
    const stderr = done.stderr.toString();
    if (performance.now() - started >= timeout) {
      throw new Error(`${quote(argv)} did not end within ${timeout / 1000} s\n${stdout}${stderr}`);
    }
    return { code: done.exitCode ?? 128 + signalNumber(done.signalCode), stdout, stderr };
  }

  /** Runs a command that must succeed, and returns what it printed. */
  output(argv: readonly string[], options: RunOptions = {}): string {
    const { code, stdout, stderr } = this.run(argv, options);
    if (code !== 0) throw new Error(`${quote(argv)} exited with ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  /** Runs lines of sh on the host; any that fails is an error. */
  shell(script: string, options: RunOptions = {}): string {
    return this.output(["sh", "-ec", script], options);
  }

  /** Runs the skdocker under test. For options (stdin, tty, …): `lab.run([lab.binary, …], {…})`. */
  skdocker(...args: string[]): Ended {
    return this.run([this.binary, ...args]);
  }

  /** Runs a command in the internet's network namespace. */
  internet(...argv: string[]): Ended {
    return this.run(["nsenter", "--net=/run/netns/internet", "--", ...argv]);
  }

  /** Runs a command in the network namespace of a process of the lab (its pid as seen inside the lab). */
  netnsOf(labPid: number, argv: readonly string[]): Ended {
    return this.run(["nsenter", "--net", `--target=${labPid}`, "--", ...argv]);
  }

  /** Starts a command in the host's namespaces and goes on. It ends with the lab at the latest. */
  spawn(argv: readonly string[], options: SpawnOptions = {}): LabProcess {
    const base = join(this.directory, `spawned-${++this.#spawned}`);
    const stdout = openSync(`${base}.out`, "w");
    const stderr = openSync(`${base}.err`, "w");
    const stdin = options.stdin ?? "ignore";
    const child = Bun.spawn(this.#enter(argv, options.cwd), {
      env: { ...ENVIRONMENT, ...options.env },
      stdin: stdin === "pipe" || stdin === "ignore" ? stdin : new Blob([stdin]),
      stdout,
      stderr,
    });
    closeSync(stdout);
    closeSync(stderr);
    return new LabProcess(child, { stdout: `${base}.out`, stderr: `${base}.err`, subject: quote(argv) });
  }

  /** Starts skdocker in the background. */
  start(...args: string[]): LabProcess {
    return this.spawn([this.binary, ...args]);
  }

  /** Starts a command on a terminal of its own, to type on and to resize. */
  terminal(
    argv: readonly string[],
    options: { cols?: number; rows?: number; env?: Record<string, string> } = {},
  ): LabTerminal {
    const env = { ...ENVIRONMENT, TERM: "xterm", ...options.env };
    return new LabTerminal(this.#enter(argv, undefined), { ...options, env, subject: quote(argv) });
  }

  /** `ip -j -d …` on the host, parsed. */
  // deno-lint-ignore no-explicit-any
  ip(...args: string[]): any[] {
    return JSON.parse(this.output(["ip", "-j", "-d", ...args]) || "[]");
  }

  /** `nft -j list ruleset` on the host: the items of its "nftables" array. */
  // deno-lint-ignore no-explicit-any
  nft(): any[] {
    return JSON.parse(this.output(["nft", "-j", "list", "ruleset"])).nftables;
  }

  /** Reads a sysctl of the host ("net.ipv4.ip_forward"). */
  sysctl(name: string): string {
    return this.output(["sysctl", "-n", name]).trim();
  }

  /** Captures packets; returns when the capture listens. Stop it to read: `(await c.kill("SIGINT"), await c.ended()).stdout`. */
  async tcpdump(args: readonly string[], options: { internet?: boolean; labPid?: number } = {}): Promise<LabProcess> {
    const where = options.internet === true
      ? ["nsenter", "--net=/run/netns/internet", "--"]
      : options.labPid !== undefined
      ? ["nsenter", "--net", `--target=${options.labPid}`, "--"]
      : [];
    const capture = this.spawn([...where, "tcpdump", "-Z", "root", "-n", "-l", "--immediate-mode", ...args]);
    await capture.waitFor(/listening on/);
    return capture;
  }

  /** The host's observable state, to be compared with a later one. */
  snapshot(options: { sysctls?: boolean } = {}): Snapshot {
    const roots = [this.dataRoot, this.runRoot, this.rootfs];
    return parseSnapshot(this.output(["sh", "-c", snapshotScript(roots, options)]));
  }

  /** A snapshot of a host at rest: what the kernel does a moment after a process has ended (links, cgroups) is done. */
  async settled(): Promise<Snapshot> {
    let last = this.snapshot();
    await until("the host to be at rest", async () => {
      await Bun.sleep(150);
      const now = this.snapshot();
      const same = difference(last, now).length === 0;
      last = now;
      return same;
    });
    return last;
  }

  /** Throws, naming each difference, unless the host is as it was at `before`. `except` leaves lines out by pattern. */
  expectUnchanged(before: Snapshot, options: { except?: RegExp } = {}): void {
    const changes = difference(before, this.snapshot()).filter((line) => options.except?.test(line) !== true);
    if (changes.length > 0) throw new Error(`The host is not as it was before:\n${changes.join("\n")}`);
  }

  /** Waits until the host is as it was at `before`: for what the kernel removes a moment later (links, cgroups). */
  async unchanged(before: Snapshot, options: { except?: RegExp; timeout?: number } = {}): Promise<void> {
    let changes: string[] = [];
    const same = () => {
      changes = difference(before, this.snapshot()).filter((line) => options.except?.test(line) !== true);
      return changes.length === 0;
    };
    try {
      await until("the host to be as before", same, { timeout: options.timeout ?? 3000 });
    } catch (cause) {
      throw new Error(`The host is not as it was before:\n${changes.join("\n")}`, { cause });
    }
  }

  [Symbol.dispose](): void {
    endWorld(this.#holder);
    removeLab(this.#name, this.directory);
  }

  #enter(argv: readonly string[], cwd: string | undefined): string[] {
    const directory = cwd === undefined ? [] : ["env", "-C", cwd];
    return ["nsenter", `--target=${this.#holder}`, "--mount", "--net", "--pid", "--", ...directory, ...argv];
  }
}

/** The pid of the lab's first process, once it has said that the world is made. */
function awaitWorld(unshare: number, directory: string): number {
  for (let tries = 0; tries < 5000; tries++) {
    const holder = childrenOf(unshare)[0];
    if (holder !== undefined && existsSync(join(directory, "ready"))) return holder;
    if (tries > 10 && holder === undefined && childrenOf(process.pid).every((pid) => pid !== unshare)) break;
    Bun.sleepSync(2);
  }
  throw new Error(`The lab was not made: ${readFileSync(join(directory, "world.log"), "utf8")}`);
}

/** Kills the first process, with which the kernel kills all others of the lab, and waits until it is gone. */
function endWorld(holder: number): void {
  process.kill(holder, "SIGKILL");
  for (let tries = 0; tries < 2500 && isAlive(holder); tries++) Bun.sleepSync(2);
}

function isAlive(pid: number): boolean {
  try {
    // A zombie has no namespaces left: its parent merely hasn't waited yet.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    // ENOENT: no such process.
    return false;
  }
}

function removeLab(name: string, directory: string): void {
  for (const hierarchy of ["", ...readdirSync("/sys/fs/cgroup")]) {
    removeCgroup(join("/sys/fs/cgroup", hierarchy, name));
  }
  rmSync(directory, { recursive: true, force: true });
}

/** Removes a cgroup and all below it. Killed processes leave theirs a moment later: EBUSY is tried again. */
function removeCgroup(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  }
  for (let tries = 0;; tries++) {
    try {
      return rmdirSync(path);
    } catch (error) {
      if (tries > 200) throw error;
      Bun.sleepSync(5);
    }
  }
}

/** Labs of test processes that were killed: their namespaces went with them, files and cgroups did not. */
function removeLeftovers(): void {
  for (const entry of readdirSync(tmpdir())) {
    const [, name, pid] = /^(sklab-(\d+)-\d+)-/.exec(entry) ?? [];
    if (name !== undefined && !existsSync(`/proc/${pid}`)) removeLab(name, join(tmpdir(), entry));
  }
}

/** The words as a shell would take them. */
function quote(argv: readonly string[]): string {
  return argv.map((word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}
