/** Addresses and MACs as the neighbours see them, when they change hands, and when somebody rewrites them. */
import { expect, test } from "bun:test";
import { Lab, until } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";

test("what the host remembers of an address's former owner is replaced before the command runs", async () => {
  using lab = Lab.create();
  lab.skdocker("net", "init");
  for (const state of ["stale", "reachable", "permanent"]) {
    lab.shell(`ip neigh replace 172.16.7.7 lladdr 02:53:ac:10:99:99 dev skbr0 nud ${state}`);
    const shell = new ContainerShell(lab, "--ip", "172.16.7.7");
    expect([state, lab.run(["ping", "-c1", "-W1", await shell.address()]).code]).toEqual([state, 0]);
    expect(lab.ip("neigh", "show", "172.16.7.7")[0].lladdr).toBe("02:53:ac:10:07:07");
    await shell.exit();
  }
});

test("a container that knew the former owner of an address reaches the new one at once", async () => {
  using lab = Lab.create();
  const neighbour = new ContainerShell(lab);
  await neighbour.address();
  for (const mac of ["02:00:00:00:00:01", "02:00:00:00:00:02"]) {
    const shell = new ContainerShell(lab, "--ip", "172.16.7.7", "--mac-address", mac);
    await shell.address();
    expect(await neighbour.reaches("172.16.7.7")).toBe(true);
    expect(await neighbour.output("ip neigh show 172.16.7.7")).toContain(mac);
    await shell.exit();
  }
  await neighbour.exit();
});

test("MACs that udev or a person rewrites on the host break nothing, and a reset sets them back", async () => {
  using lab = Lab.create();
  const [one, two] = [new ContainerShell(lab), new ContainerShell(lab)];
  const second = await two.address();
  await one.address();
  const links = () => lab.ip("link", "show", "master", "skbr0").map(({ ifname, address }) => [ifname, address]);
  const before = links();
  for (const [link] of before) lab.shell(`ip link set ${link} address 9e:00:00:00:00:${link.slice(-2)}`);
  expect(lab.ip("link", "show", "skbr0")[0].address).toBe("02:52:ac:10:00:01");
  for (const target of [second, "172.16.0.1", lab.internetAddress]) expect(await one.reaches(target)).toBe(true);
  expect(lab.skdocker("net", "reset").code).toBe(0);
  expect(links()).toEqual(before);
  expect(await one.reaches(second)).toBe(true);
  for (const shell of [one, two]) await shell.exit();
});

test("a pair that is made anew under its container announces the address, and gives the MTU that the uplink has now", async () => {
  using lab = Lab.create();
  const one = new ContainerShell(lab);
  const address = await one.address();
  const other = new ContainerShell(lab);
  await other.address();
  lab.shell("ip link set eth0 mtu 1400");
  const [port] = lab.ip("link", "show", "master", "skbr0").filter((link) => link.address === "02:54:ac:10:00:02");
  const capture = await lab.tcpdump(["-e", "-i", "eth0", "arp"], { labPid: await other.labPid() });
  lab.shell(`ip link delete ${port.ifname}`);
  expect(lab.skdocker("net", "reset").code).toBe(0);
  const announced = `02:53:ac:10:00:02 > ff:ff:ff:ff:ff:ff.* ${address.replaceAll(".", "\\.")}`;
  await capture.waitFor(new RegExp(announced));
  for (const shell of [one, other]) expect(await shell.output("cat /sys/class/net/eth0/mtu")).toBe("1400\n");
  for (const link of lab.ip("link", "show", "master", "skbr0")) expect(link.mtu).toBe(1400);
  await until("the port to forward", () => one.reaches(lab.internetAddress));
  for (const shell of [one, other]) await shell.exit();
});
