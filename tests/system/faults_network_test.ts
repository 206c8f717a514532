/**
 * Every step, and every system call of skdocker itself, is made to fail while the network is made, repaired or removed:
 * the same command given once more completes the work, and what is of others stays.
 */
import { expect, test } from "bun:test";
import { FaultRuns, HostWatch, type PointKind } from "../lab/fault_runs.ts";
import { busyHost } from "../lab/fault_world.ts";
import { wrongEnd } from "../lab/fault_calls.ts";
import { FirstHost } from "../lab/fault_first.ts";

const KINDS: readonly PointKind[] = ["STEP", "SYSCALL"];

test.each(KINDS)("net init, each %s failing", async (kind) => {
  using host = await FirstHost.create();
  const runs = new FaultRuns(host.lab, ["net", "init"]);
  const { trials, complaints } = await runs.failEach(kind, async (trial) => [
    ...wrongEnd(trial),
    ...await host.half(),
    ...host.must("net", "init"),
    ...await host.incomplete(),
    ...host.must("net", "reset", "--purge"),
    ...await host.unlikeVirgin(),
  ]);
  expect(complaints).toEqual([]);
  expect(trials).toBeGreaterThan(30);
}, 300_000);

test("the first start on a host, each step failing", async () => {
  using host = await FirstHost.create();
  const runs = new FaultRuns(host.lab, ["run", "--rm", "busybox", "true"]);
  const { trials, complaints } = await runs.failEach("STEP", async (trial) => [
    ...wrongEnd(trial),
    ...await host.half(),
    ...host.must("net", "reset", "--purge"),
    ...await host.unlikeVirgin(),
  ]);
  expect(complaints).toEqual([]);
  expect(trials).toBeGreaterThan(80);
}, 300_000);

test.each(KINDS)("net reset --purge, each %s failing", async (kind) => {
  using host = await FirstHost.create();
  const runs = new FaultRuns(host.lab, ["net", "reset", "--purge"]);
  expect(host.must("net", "init")).toEqual([]);
  const { trials, complaints } = await runs.failEach(kind, async (trial) => [
    ...wrongEnd(trial),
    ...host.must("net", "reset", "--purge"),
    ...await host.unlikeVirgin(),
    ...host.must("net", "init"),
  ]);
  expect(complaints).toEqual([]);
  expect(trials).toBeGreaterThan(2);
}, 300_000);

test("net reset under a running container, each step failing", async () => {
  using world = await busyHost({});
  const { lab } = world;
  const watch = new HostWatch(lab, await lab.settled());
  const runs = new FaultRuns(lab, ["net", "reset"]);
  const damage = () => lab.shell(DAMAGE);
  damage();
  const { trials, complaints } = await runs.failEach("STEP", async (trial) => {
    const { code, stderr } = lab.skdocker("net", "reset");
    const wrong = [...wrongEnd(trial), ...(code === 0 ? [] : [`once more, it exited with ${code}: ${stderr}`])];
    wrong.push(...await watch.changes());
    damage();
    return wrong;
  });
  expect(complaints).toEqual([]);
  expect(trials).toBeGreaterThan(10);
}, 300_000);

/** What a reset has to make good: rules, the bridge's address, a port's place, forwarding. */
const DAMAGE = `
nft delete table inet skdocker
ip address flush dev skbr0
ip link set "$(ip -o link show type veth | grep -o 'veth[0-9a-f]\\{8\\}' | head -n 1)" nomaster
sysctl -qw net.ipv4.conf.eth0.forwarding=0`;
