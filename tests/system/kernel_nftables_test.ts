/** nf_tables by our batches, looked at with the real nft, in network namespaces of their own. Needs root. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";

const DRIVER = join(import.meta.dir, "kernel_nftables_driver.ts");

let namespaces = 0;
let netns = "";

beforeEach(() => {
  netns = addNamespace();
});

afterEach(() => {
  for (let i = 0; i < namespaces; i++) Bun.spawnSync(["ip", "netns", "delete", `sknft-${process.pid}-${i}`]);
  namespaces = 0;
});

function addNamespace(): string {
  const name = `sknft-${process.pid}-${namespaces++}`;
  sh(`ip netns add ${name} && ip -n ${name} link set lo up`);
  return name;
}

function sh(script: string): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["sh", "-ec", script]);
  if (exitCode !== 0) throw new Error(`${script}: ${stderr.toString()}`);
  return stdout.toString();
}

/** Runs a script in the namespace under test, or another. */
function inside(script: string, name = netns): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["ip", "netns", "exec", name, "sh", "-ec", script]);
  if (exitCode !== 0) throw new Error(`${script}: ${stderr.toString()}`);
  return stdout.toString();
}

function succeeds(script: string, name: string): boolean {
  return Bun.spawnSync(["ip", "netns", "exec", name, "sh", "-c", script]).exitCode === 0;
}

/** What a scenario of the driver returns. */
function drive(scenario: string, argument = "", name = netns): unknown {
  return JSON.parse(inside(`${process.execPath} ${DRIVER} ${scenario} ${argument}`, name));
}

/** `nft -j list ruleset` without handles, tables in the order of their names. */
function ruleset(name = netns): string[] {
  const { nftables } = JSON.parse(inside("nft -j list ruleset", name)) as { nftables: unknown[] };
  const text = (object: unknown) => JSON.stringify(object, (key, value) => (key === "handle" ? undefined : value));
  return nftables.map(text).sort();
}

test("our batch and the lines it is explained by lead to the same rule set", () => {
  drive("everything");
  const ours = ruleset();
  const other = addNamespace();
  for (const line of drive("lines") as string[]) inside(line, other);
  expect(ours).toEqual(ruleset(other));
  expect(inside("nft list ruleset").split("\n").sort()).toEqual(inside("nft list ruleset", other).split("\n").sort());
});

test("leaving out any one line leads to another rule set, or to an error", () => {
  const lines = drive("lines") as string[];
  for (const line of lines) inside(line);
  const whole = ruleset();
  lines.forEach((_, left) => {
    inside("nft flush ruleset");
    const rest = lines.filter((_line, index) => index !== left).join("\n");
    const ended = succeeds(`set -e\n${rest}`, netns);
    if (ended) expect(ruleset(), lines[left]).not.toEqual(whole);
  });
}, 60_000);

test("making the firewall anew gives the same, whatever was there", () => {
  drive("firewall");
  const made = ruleset();
  inside("nft flush chain inet skdocker forward; nft add element inet skdocker routed '{ eth9 }'");
  drive("rebuild");
  expect(ruleset()).toEqual(made);
  drive("remove");
  drive("remove");
  expect(inside("nft list ruleset")).toBe("");
  drive("rebuild");
  expect(ruleset()).toEqual(made);
});

test("the table made by this version is known by its comment; one that is not there is not", () => {
  expect(drive("table")).toBeNull();
  drive("firewall");
  expect(drive("table")).toEqual({
    ...{ family: "inet", name: "skdocker", comment: "skdocker rules 1" },
    ...{ dormant: false, objects: 8 }, // five sets, three chains
  });
});

test("of a refused batch nothing is done, and the operation is named", () => {
  drive("firewall");
  const before = ruleset();
  for (const index of [0, 7, 19]) {
    expect(drive("refused", String(index))).toEqual({
      index,
      code: "ENOENT",
      message: 'Cannot add element "inet skdocker nowhere eth0": ENOENT (No such file or directory)',
    });
  }
  expect(ruleset()).toEqual(before);
});

test("making what is there already is refused as such", () => {
  drive("firewall");
  expect(drive("unprivileged")).toEqual({
    code: "EEXIST",
    message: 'Cannot create table "inet skdocker": EEXIST (File exists)',
  });
});

test("without the right to change the rules, the refusal says so", () => {
  const command = `setpriv --bounding-set -net_admin --inh-caps -net_admin ${process.execPath} ${DRIVER} unprivileged`;
  expect(JSON.parse(inside(command))).toEqual({
    code: "EPERM",
    message: 'Cannot change "the nftables rule set": EPERM (Operation not permitted)',
  });
});

test("a batch larger than a socket's buffer is done whole", () => {
  drive("firewall");
  expect(drive("large")).toBe(4003);
});

test("the generation counts everyone's changes", () => {
  const before = drive("generation");
  expect(drive("generation")).toBe(before);
  inside("nft add table ip foreign");
  expect(drive("generation")).toBe((before as number) + 1);
});

test("elements are read with their owners", () => {
  drive("firewall");
  expect(drive("sets")).toEqual([
    {
      name: "networks",
      elements: expect.arrayContaining([
        { key: ["skbr0"], comment: "bridge" },
        { key: ["veth1"], comment: "ptp one" },
        { key: ["veth2"], comment: "ptp two" },
      ]),
    },
    { name: "within", elements: [{ key: ["skbr0", "skbr0"], comment: "bridge" }] },
    { name: "ptp", elements: expect.any(Array) },
    { name: "masqueraded", elements: expect.any(Array) },
    { name: "routed", elements: [{ key: ["eth0"], comment: "uplink" }] },
  ]);
});

test("batches of eight processes at once are all done, while nft changes other tables", async () => {
  drive("firewall");
  const command = (script: string) => ["ip", "netns", "exec", netns, "sh", "-ec", script];
  const writers = Array.from(
    { length: 8 },
    (_, index) =>
      Bun.spawn(command(`${process.execPath} ${DRIVER} concurrent ${index}`), { stdout: "pipe", stderr: "pipe" }),
  );
  const foreign = Bun.spawn(command("for i in $(seq 60); do nft add table ip f$i; nft delete table ip f$i; done"));
  const ended = await Promise.all([...writers, foreign].map((process) => process.exited));
  expect(ended.filter((code) => code !== 0)).toEqual([]);
  const { nftables } = JSON.parse(inside("nft -j list set inet skdocker networks")) as {
    nftables: { set?: { elem: unknown[] } }[];
  };
  expect(nftables.find(({ set }) => set)?.set?.elem.length).toBe(3 + 8 * 50);
});

describe("dockerd's chains", () => {
  /** As dockerd 20.10 makes them, by way of iptables-nft. */
  const DOCKER = `
    iptables -P FORWARD DROP
    iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN; iptables -A FORWARD -j DOCKER-USER
    iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT`;

  test("let our traffic pass by rules in DOCKER-USER, which iptables still lists and saves", () => {
    inside(DOCKER);
    const before = inside("iptables-save -t filter | grep -v '^#'");
    expect(drive("docker")).toMatchObject({ before: [{ chain: "FORWARD", docker: true }], after: [] });
    expect(inside("iptables -S DOCKER-USER").split("\n")).toEqual([
      "-N DOCKER-USER",
      "-A DOCKER-USER -o skbr0 -m comment --comment skdocker -j ACCEPT",
      "-A DOCKER-USER -i skbr0 -m comment --comment skdocker -j ACCEPT",
      "-A DOCKER-USER -j RETURN",
      "",
    ]);
    expect(inside("iptables -L -v -n")).toContain("skbr0");
    expect(drive("undocker")).toBe(2);
    expect(inside("iptables-save -t filter | grep -v '^#'")).toBe(before);
  });
});

test("iptables-legacy is read where it is in use, and not brought into use", () => {
  expect(drive("legacy")).toEqual({ forward: null, drop: null });
  expect(inside("cat /proc/net/ip_tables_names")).toBe("");
  inside("iptables-legacy -P FORWARD DROP; iptables-legacy -N MINE");
  expect(drive("legacy")).toMatchObject({
    forward: { policy: "drop", dropsRest: false, accepts: [], chains: ["MINE"] },
    drop: { chain: "FORWARD" },
  });
  inside("iptables-legacy -A FORWARD -p tcp -i skbr0 -m comment --comment x -j ACCEPT");
  expect(drive("legacy")).toMatchObject({ forward: { accepts: ["skbr0"] }, drop: null });
});
