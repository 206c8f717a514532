/**
 * The main job, shown: what scripts/demo runs after set-up and build. Every line of output is what a command really
 * printed in the lab; a step that does not do what its sentence says ends the demo with an error.
 */
import { writeSync } from "node:fs";
import { ContainerShell } from "./lab/shell.ts";
import { type Ended, Lab } from "./lab.ts";

const bold = process.env["NO_COLOR"] === undefined && Bun.spawnSync(["test", "-t", "1"], { stdout: "inherit" }).success;

function print(text: string): void {
  writeSync(1, `${text}\n`);
}

let steps = 0;

/** A heading, with what is about to be seen. */
function step(title: string, why: string): void {
  print(bold ? `\n\x1b[1m${++steps}. ${title}\x1b[0m` : `\n${++steps}. ${title}`);
  print(`   ${why}\n`);
}

function show(prompt: string, command: string, output: string): void {
  print(bold ? `   \x1b[36m${prompt}\x1b[0m \x1b[1m${command}\x1b[0m` : `   ${prompt} ${command}`);
  for (const line of output.trimEnd().split("\n")) if (line !== "") print(`     ${line.trimEnd()}`);
}

function mustHold(truth: boolean, claim: string): void {
  if (!truth) throw new Error(`The demo shows that this does not hold: ${claim}`);
}

/** A command on the lab's host, shown as it is typed: `skdocker` stands for the built one. */
function onHost(lab: Lab, command: string): Ended {
  const done = lab.run(["sh", "-c", `skdocker() { ${lab.binary} "$@"; }; ${command}`]);
  show("host#", command, done.stdout + done.stderr);
  mustHold(done.code === 0, `${command} succeeds (it exited with ${done.code})`);
  return done;
}

/** A container with a shell inside, to type into, all of it shown. */
class Container {
  readonly #name: string;
  readonly #shell: ContainerShell;

  constructor(lab: Lab, name: string) {
    this.#name = name;
    show("host#", `skdocker run --rm -i --name ${name} -h ${name} busybox /bin/sh`, "");
    this.#shell = new ContainerShell(lab, "--name", name, "-h", name);
  }

  /** Types one command; returns and shows what it printed. */
  async type(command: string): Promise<string> {
    const { code, output } = await this.#shell.type(command);
    show(`${this.#name}#`, command, output);
    mustHold(code === 0, `in container ${this.#name}, "${command}" succeeds (it exited with ${code})`);
    return output;
  }

  async address(): Promise<string> {
    await this.type("ip address show eth0");
    return await this.#shell.address();
  }

  async exit(): Promise<void> {
    const code = await this.#shell.exit();
    show(`${this.#name}#`, "exit", this.#shell.run.stderr);
    mustHold(code === 0, `${this.#name} ends with 0 (${code})`);
  }
}

async function demo(): Promise<void> {
  using lab = Lab.create();
  print('\nA lab has been made of namespaces: a "host" with eth0, and beyond its gateway an "internet" of one server.');
  const before = lab.snapshot();

  step("The host before", "One link to the outside, no bridge, no rules, forwarding off.");
  onHost(lab, "ip -br address");
  onHost(lab, "ip route");
  onHost(lab, "nft list ruleset");

  step("The bridge", "Made by the first run, or alone by `net init`. A second call finds all in place.");
  onHost(lab, "skdocker net init");
  onHost(lab, "skdocker net init");
  onHost(lab, "ip -br address show type bridge");

  step(
    "Two containers",
    "Each with an address of its own, in namespaces of its own, from the busybox inside skdocker.",
  );
  const one = new Container(lab, "one");
  const first = await one.address();
  const two = new Container(lab, "two");
  const second = await two.address();
  mustHold(first !== second, "the two have different addresses");
  onHost(lab, "ip -br link show type veth");

  step("They reach each other", "Through the bridge, without a detour.");
  await one.type(`ping -c 2 ${second}`);
  await two.type(`ping -c 2 ${first}`);

  step("They reach the host", `Its end of the bridge, and its own address ${lab.hostAddress}.`);
  await one.type("ip route");
  await one.type(`ping -c 1 ${lab.hostAddress}`);

  step(
    "They reach the internet",
    "By address, by name, and more than ping; the internet sees the host's address alone.",
  );
  await one.type(`ping -c 2 ${lab.internetAddress}`);
  await two.type("ping -c 2 baidu.com");
  const page = await two.type("wget -q -O- http://baidu.com/");
  mustHold(page.includes("the internet says hello"), "the page comes from the internet's server");

  step("What is there now", "As skdocker says it, and as the kernel's own tools do.");
  onHost(lab, "skdocker net ls");
  onHost(lab, "skdocker net inspect");
  onHost(lab, "nft list ruleset");

  step("What a run does", "Each step as the command a person would have typed.");
  onHost(lab, "skdocker run --rm --explain busybox true");

  step("The network repaired", "Somebody deletes every rule; one command brings them back, under running containers.");
  onHost(lab, "nft flush ruleset");
  onHost(lab, "skdocker net reset");
  await one.type("ping -c 1 baidu.com");

  step("The end", "The containers go, then all of the network; the host is as it was before.");
  await one.exit();
  await two.exit();
  onHost(lab, "skdocker net reset --purge");
  onHost(lab, "ip -br address");
  // What skdocker unpacked (its busybox) stays for the next run; everything else has to be as it was.
  await lab.unchanged(before, { except: /^[+-] files: / });
  print("\n   Compared: links, addresses, routes, rules, sysctls, mounts, processes and cgroups equal those before.");
}

await demo();
print("\nEverything shown above really ran, in a lab that is gone now; this machine's own network was not touched.");
