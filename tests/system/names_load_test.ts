/** The name server at 127.0.0.11 of a real container: under load, under garbage, before slow, absent and changing servers. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Lab, type LabProcess, until } from "../lab.ts";
import { startResolver } from "../lab/resolver.ts";
import { ContainerShell } from "../lab/shell.ts";

const BUN = join(import.meta.dir, "../../node_modules/.bin/bun");
const script = (name: string) => join(import.meta.dir, "../lab", name);

async function slowResolver(lab: Lab, address: string, delay: number): Promise<LabProcess> {
  const server = lab.spawn([BUN, script("slow_resolver_driver.ts"), address, String(delay)]);
  await server.waitFor(/^serving$/m);
  return server;
}

describe("before a resolver on the host's loopback", () => {
  let lab: Lab;
  let shell: ContainerShell;
  let joined: ContainerShell;
  let inside: string[];
  beforeAll(async () => {
    lab = Lab.create({ resolvConf: "nameserver 127.0.0.53\nsearch test\noptions ndots:2 edns0\n" });
    const long = Array.from({ length: 12 }, (_, i) => `--txt-record=long.test,${String(i).repeat(200).slice(0, 200)}`);
    await startResolver(lab, "127.0.0.53", "--host-record=split.test,10.1.2.3", "--edns-packet-max=4096", ...long);
    shell = new ContainerShell(lab, "--name", "asking");
    await shell.address();
    joined = new ContainerShell(lab, "--network", "container:asking");
    inside = ["nsenter", "--net", `--target=${await shell.labPid()}`, "--"];
  });
  afterAll(() => lab[Symbol.dispose]());

  const dig = (...words: string[]) =>
    lab.output([...inside, "dig", "@127.0.0.11", "+tries=1", "+time=4", ...words], { timeout: 60_000 });

  test("a thousand questions of four clients at once are all answered", async () => {
    const names = Array.from({ length: 250 }, (_, i) => (i % 2 === 0 ? "split.test" : "baidu.com") + "\n").join("");
    await Bun.write(join(lab.directory, "names"), names);
    // Each has an address of its own: dig lets others use its port (SO_REUSEPORT), and two of them would mix up answers.
    const asks = ["+tries=1", "+time=4", "+short", "-f", `${lab.directory}/names`];
    const clients = [1, 2, 3, 4].map((n) =>
      lab.spawn([...inside, "dig", "@127.0.0.11", "-b", `127.0.0.${n}`, ...asks])
    );
    for (const client of clients) {
      const answers = (await client.ended()).stdout.trim().split("\n");
      expect(answers.filter((line) => !/^[0-9.]+$/.test(line))).toEqual([]); // what dig has to say beside them
      expect(answers).toHaveLength(250);
      expect(new Set(answers)).toEqual(new Set(["10.1.2.3", "220.181.38.152"]));
    }
  });

  test(
    "five thousand random datagrams end nothing: names are found afterwards, and no descriptor is left",
    async () => {
      const seed = Date.now() % 1_000_000;
      const descriptors = async () => lab.output(["ls", `/proc/${await supervisor()}/fd`]).trim().split("\n").length;
      const before = await descriptors();
      lab.output([...inside, BUN, script("garbage_driver.ts"), String(seed), "5000"], { timeout: 60_000 });
      await until(
        `a name to be found after the garbage of seed ${seed}`,
        () => dig("+short", "split.test") === "10.1.2.3\n",
      );
      expect(shell.run.stderr).toBe("");
      // Queries on their way have a socket each, until they are answered or given up.
      await until("the sockets to be closed", async () => await descriptors() <= before, { timeout: 10_000 });
    },
    30_000,
  );

  /** skdocker's pid as the lab sees it: the holder of the shell's record. */
  async function supervisor(): Promise<string> {
    const status = lab.shell(`cat /proc/${await shell.labPid()}/status`);
    return /^PPid:\t(\d+)$/m.exec(status)?.[1] ?? "";
  }

  test("long answers are marked as cut off, come whole by TCP, and by UDP where the client takes them", () => {
    expect(dig("+noedns", "+ignore", "txt", "long.test")).toMatch(/flags: [^;]*\btc\b/);
    expect(dig("+noedns", "txt", "long.test")).toMatch(/ANSWER: 12[^]*\(TCP\)/);
    expect(dig("+bufsize=4096", "+ignore", "txt", "long.test")).toMatch(/ANSWER: 12[^]*\(UDP\)/);
  });

  test("search domains and options are the host's, for who shares the network as well", async () => {
    for (const asking of [shell, joined]) {
      expect(await asking.output("cat /etc/resolv.conf")).toContain(
        "nameserver 127.0.0.11\nsearch test\noptions ndots:2 edns0\n",
      );
      expect(await asking.output("ping -c 1 -W 1 split || true")).toContain("(10.1.2.3)");
    }
  });

  test("when the host's file names another server, it is asked, without a restart", async () => {
    const server = await startResolver(lab, "127.0.0.77", "--host-record=moved.test,10.7.7.7");
    expect(dig("+short", "moved.test")).toBe("");
    lab.shell("echo nameserver 127.0.0.77 >/etc/resolv.conf");
    await until("the new server's answer", () => dig("+short", "moved.test") === "10.7.7.7\n");
    lab.shell(": >/etc/resolv.conf"); // names nobody: whoever was asked is still asked
    expect(await shell.output("sleep 1.1; nslookup -type=a moved.test")).toContain("10.7.7.7");
    lab.shell("echo nameserver 127.0.0.53 >/etc/resolv.conf");
    await until("the former server's answer", () => dig("+short", "split.test") === "10.1.2.3\n");
    await server.kill("SIGTERM");
  });
});

test("a host whose resolvers have IPv6 addresses alone is asked for its containers, on both networks", async () => {
  using lab = Lab.create({ resolvConf: "nameserver ::1\n" });
  await startResolver(lab, "::1", "--host-record=six.test,10.6.6.6");
  for (const network of ["bridge", "ptp"]) {
    const command = ["busybox", "nslookup", "-type=a", "six.test"];
    expect(lab.skdocker("run", "--rm", "--network", network, ...command).stdout).toContain("Address: 10.6.6.6");
  }
});

test("of several servers the first that answers is believed, a closed one costs nothing, a slow one its time", async () => {
  using lab = Lab.create({ resolvConf: "nameserver 127.0.0.99\nnameserver 127.0.0.53\nnameserver 127.0.0.54\n" });
  await slowResolver(lab, "127.0.0.53", 800);
  const shell = new ContainerShell(lab);
  const pid = await shell.labPid();
  const ask = (count: number) => JSON.parse(lab.netnsOf(pid, [BUN, script("burst_driver.ts"), String(count)]).stdout);
  const { codes, last } = ask(100);
  expect(codes).toEqual({ 0: 100 });
  expect(last).toBeGreaterThan(800);
  expect(last).toBeLessThan(3000);
  // 256 may be on their way at once; who asks more hears so, and is not left to wait.
  expect(ask(1000).codes).toEqual({ 0: 256, 2: 744 });
  await shell.exit();
});
