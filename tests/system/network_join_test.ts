/** Namespaces that somebody else made, and host and none, through the built binary. */
import { expect, test } from "bun:test";
import { Lab } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";

test("container:NAME and container:ID share the links, and the target may end first", async () => {
  using lab = Lab.create();
  lab.skdocker("run", "--rm", "busybox", "true");
  const before = await lab.settled();
  const target = new ContainerShell(lab, "--name", "blue");
  const address = await target.address();
  const joined = new ContainerShell(lab, "--network", "container:blue");
  expect(await joined.address()).toBe(address);
  expect(await joined.reaches("baidu.com")).toBe(true);
  expect(await target.exit()).toBe(0);
  expect((await joined.type("ping -c1 -W1 172.16.0.1")).code).not.toBe(0);
  expect(await joined.exit()).toBe(0);
  await lab.unchanged(before, { except: /skdocker\/(joined|former)/ }); // what a name and a join leave behind
});

test("ns:PATH joins a namespace and leaves it as it is", () => {
  using lab = Lab.create();
  lab.shell("ip netns add blue; ip -n blue link add inside type veth peer name outside");
  const before = lab.output(["ip", "-n", "blue", "-j", "link"]);
  const run = lab.skdocker("run", "--rm", "--network", "ns:/run/netns/blue", "busybox", "ip", "link");
  expect([run.code, run.stdout]).toEqual([0, expect.stringContaining("inside")]);
  expect(lab.output(["ip", "-n", "blue", "-j", "link"])).toBe(before);
});

test("what cannot be joined is said in one sentence, with 125", () => {
  using lab = Lab.create();
  for (
    const [network, sentence] of [
      ["container:nobody", "nobody"],
      ["ns:/run/netns/nothing", `There is no network namespace at "/run/netns/nothing"`],
      ["ns:/etc/hosts", `"/etc/hosts" is not a network namespace`],
      ["ns:/proc/self/ns/mnt", "is not a network namespace"],
      ["ns:/etc", `"/etc" is not a network namespace`],
      ["brdige", "brdige"],
    ] as const
  ) {
    const { code, stderr } = lab.skdocker("run", "--rm", "--network", network, "busybox", "true");
    expect([network, code, stderr]).toEqual([network, 125, expect.stringContaining(sentence)]);
    expect(stderr.split("\n").filter((line) => line !== "" && !line.includes("help"))).toHaveLength(1);
  }
});

test("two ptp containers reach each other through the host, and none on the bridge", async () => {
  using lab = Lab.create();
  const [one, two] = [new ContainerShell(lab, "--network", "ptp"), new ContainerShell(lab, "--network", "ptp")];
  const bridged = new ContainerShell(lab);
  const [first, second, other] = [await one.address(), await two.address(), await bridged.address()];
  expect(await one.reaches(second)).toBe(true);
  expect(await two.reaches(first)).toBe(true);
  expect((await one.type(`ping -c1 -W1 ${other}`)).code).not.toBe(0);
  expect((await bridged.type(`ping -c1 -W1 ${first}`)).code).not.toBe(0);
  for (const shell of [one, two, bridged]) await shell.exit();
});
