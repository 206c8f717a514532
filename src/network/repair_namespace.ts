/** `net reset` of what a container's namespace has beside its pair: lo, parameters, the rules that lead to the name server. */
import { formatIp } from "../kernel/ip_address.ts";
import { writeSysctlsIn } from "../kernel/namespaces.ts";
import { listAddresses } from "../kernel/netlink/address.ts";
import type { NetlinkSocket } from "../kernel/netlink/socket.ts";
import { sendBatch } from "../kernel/nftables/batch.ts";
import type { NftOperation } from "../kernel/nftables/operation.ts";
import { sysctlPath } from "../host/sysctl.ts";
import type { ContainerRecord } from "../store/containers.ts";
import { NAMESPACE_PARAMETERS } from "./attach_plan.ts";
import type { NetworkExecutor } from "./execute.ts";
import { RESOLVER_TABLE, resolverTable } from "./firewall_plan.ts";
import type { NetworkStep } from "./network_step.ts";
import { findLink } from "./observe.ts";
import { observeTable } from "./observe_firewall.ts";

/** A container's namespace, with sockets opened inside. */
export interface NamespaceToRepair {
  readonly record: ContainerRecord;
  readonly namespace: number;
  readonly route: NetlinkSocket;
  readonly rules: NetlinkSocket;
}

/** Corrects them. */
export function repairNamespace(
  executor: NetworkExecutor,
  { record, namespace, route, rules }: NamespaceToRepair,
): void {
  executor.run(loopbackSteps(route));
  if (!record.ownNetworkParameters) restoreParameters(executor, namespace);
  if (record.resolver) restoreResolverRules(executor, rules, record.resolver);
}

const LOOPBACK = { purpose: "namespace", side: "container", link: "lo" } as const;

/** Going up, lo gets 127.0.0.1 if it has no address at all, and ::1; others that it has are the container's own. */
function loopbackSteps(route: NetlinkSocket): NetworkStep[] {
  const lo = findLink(route, "lo");
  if (!lo) return [];
  const addresses = listAddresses(route, { link: lo.index }).map(({ address }) => formatIp(address));
  const ipv4 = addresses.some((address) => !address.includes(":"));
  const whole = addresses.includes("127.0.0.1") && (addresses.includes("::1") || lo.ipv6?.disable_ipv6 !== 0);
  const steps: NetworkStep[] = [];
  if (lo.up && !whole) steps.push({ do: "set link", ...LOOPBACK, settings: { up: false } });
  if (!lo.up || !whole) steps.push({ do: "set link", ...LOOPBACK, settings: { up: true } });
  if (ipv4 && !addresses.includes("127.0.0.1")) steps.push({ do: "add address", ...LOOPBACK, address: "127.0.0.1/8" });
  return steps;
}

/** What the native call has written is announced afterwards: only it can tell what was there before. */
function restoreParameters(executor: NetworkExecutor, namespace: number): void {
  const wanted = NAMESPACE_PARAMETERS.map(([name, value]) => ({ name, value, path: sysctlPath(name) }));
  const former = writeSysctlsIn(namespace, wanted.map(({ path, value }) => ({ path, value, optional: true })));
  for (const { name, value, path } of wanted) {
    const before = former.get(path);
    if (before === undefined || before === value) continue;
    executor.run([{ do: "write sysctl", purpose: "namespace", side: "container", name, value }]);
  }
}

function restoreResolverRules(
  executor: NetworkExecutor,
  rules: NetlinkSocket,
  ports: NonNullable<ContainerRecord["resolver"]>,
): void {
  const wanted = resolverTable(ports);
  if (observeTable(rules, { table: RESOLVER_TABLE, wanted }) === "healthy") return;
  const operations: NftOperation[] = [{ verb: "destroy", table: RESOLVER_TABLE }, ...wanted];
  for (const operation of operations) {
    executor.tell({ do: "change firewall", purpose: "resolver", side: "container", operation });
  }
  sendBatch(rules, operations);
}
