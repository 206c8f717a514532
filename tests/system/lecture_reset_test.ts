/** The lecture's repair: whatever somebody breaks, one command makes it whole, and one takes all of it away. */
import { expect, test } from "bun:test";
import { Lab, until } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";

test("after the rules, the bridge's address and a port's master are gone, net reset makes all work again", async () => {
  using lab = Lab.create();
  const [one, two] = [new ContainerShell(lab), new ContainerShell(lab)];
  const [first, second] = [await one.address(), await two.address()];
  const [port] = lab.ip("link", "show", "master", "skbr0");
  const before = lab.snapshot();
  lab.shell(`nft flush ruleset; ip address flush dev skbr0; ip link set ${port.ifname} nomaster`);
  expect(await one.reaches("172.16.0.1")).toBe(false);
  expect(lab.skdocker("net", "reset").code).toBe(0);
  lab.expectUnchanged(before, { except: /^[+-] neighbours: / });
  for (const shell of [one, two]) {
    for (const target of ["172.16.0.1", lab.internetAddress, "baidu.com"]) {
      // The container's own ARP may still hold the failure of the ping above: the kernel gives that up after 3 s.
      await until(`${target} to answer`, () => shell.reaches(target), { timeout: 5000 });
    }
  }
  expect(await one.reaches(second)).toBe(true);
  expect(await two.reaches(first)).toBe(true);
  await Promise.all([one.exit(), two.exit()]);
});

test("net reset --purge restores the host, is refused while a container runs, and may be repeated", async () => {
  using lab = Lab.create();
  lab.shell(
    "ip link add br0 type bridge; ip link set br0 addrgenmode none; ip link set br0 up; nft add table ip theirs; nft add chain ip theirs c",
  );
  const before = lab.snapshot();
  const shell = new ContainerShell(lab);
  await shell.reaches("baidu.com");
  const running = lab.snapshot();
  const refused = lab.skdocker("net", "reset", "--purge");
  expect(refused.code).not.toBe(0);
  lab.expectUnchanged(running, { except: /^[+-] neighbours: / });
  await shell.exit();
  for (const _ of ["once", "again"]) {
    expect(lab.skdocker("net", "reset", "--purge").code).toBe(0);
    // The unpacked busybox is no part of the network: it may stay.
    await lab.unchanged(before, { except: /^[+-] files: .*\/var\/lib\/skdocker/ });
  }
});
