/** A container with a shell inside, into which a test types. */
import { type Lab, type LabProcess, until } from "../lab.ts";
import { childrenOf } from "./process.ts";

export interface Typed {
  readonly code: number;
  /** stdout and stderr, in the order they were printed. */
  readonly output: string;
}

export class ContainerShell {
  readonly run: LabProcess;
  #seen = 0;

  /** Starts `skdocker run --rm -i FLAGS… busybox /bin/sh` and returns at once. */
  constructor(lab: Lab, ...flags: string[]) {
    this.run = lab.spawn([lab.binary, "run", "--rm", "-i", ...flags, "busybox", "/bin/sh"], { stdin: "pipe" });
  }

  /** Types a command, waits for its end (20 s at most), and returns what it printed. */
  async type(command: string): Promise<Typed> {
    this.run.write(`{ ${command}\n} 2>&1 </dev/null; echo "=== $?"\n`);
    const end = await until(`the container's "${command}" to end`, () => {
      const found = /^([^]*?)=== (\d+)\n/.exec(this.run.stdout.slice(this.#seen));
      if (found === null && !this.run.running) throw new Error(`the container has ended: ${this.run.stderr}`);
      return found;
    }, { timeout: 20_000 });
    this.#seen += end[0].length;
    return { code: Number(end[2]), output: end[1] ?? "" };
  }

  /** Types a command that must succeed. */
  async output(command: string): Promise<string> {
    const { code, output } = await this.type(command);
    if (code !== 0) throw new Error(`"${command}" in the container exited with ${code}: ${output}`);
    return output;
  }

  /** True when one ping of at most 2 s is answered. */
  async reaches(target: string): Promise<boolean> {
    return (await this.type(`ping -c 1 -W 2 ${target}`)).code === 0;
  }

  /** The IPv4 address of its eth0. */
  async address(): Promise<string> {
    const output = await this.output("ip -4 address show eth0");
    const address = /inet (\d+\.\d+\.\d+\.\d+)/.exec(output)?.[1];
    if (address === undefined) throw new Error(`eth0 has no address: ${output}`);
    return address;
  }

  /** The first process's pid on the machine. */
  async machinePid(): Promise<number> {
    await this.output("true");
    const pid = childrenOf(await this.run.pid())[0];
    if (pid === undefined) throw new Error("skdocker has no child");
    return pid;
  }

  /** The first process's pid in the lab, for `lab.netnsOf` and `nsenter`. */
  async labPid(): Promise<number> {
    const status = await Bun.file(`/proc/${await this.machinePid()}/status`).text();
    // The machine's, the lab's, the container's own.
    return Number(/^NSpid:\t\d+\t(\d+)\t/m.exec(status)?.[1]);
  }

  /** Ends the shell by the end of its input. */
  async exit(): Promise<number> {
    this.run.closeStdin();
    return (await this.run.ended()).code;
  }
}
