/** `net reset --purge`: the host as if skdocker had never been there. Goes on through errors and reports them all. */
import { rmSync } from "node:fs";
import { readSysctl } from "../host/sysctl.ts";
import { removeIfEmpty } from "../kernel/directories.ts";
import { dumpChains, dumpRules, dumpSets, getTable } from "../kernel/nftables/dump.ts";
import type { NftOperation } from "../kernel/nftables/operation.ts";
import type { Paths } from "../store/paths.ts";
import { BRIDGE_LINK } from "./bridge.ts";
import type { NetworkExecutor } from "./execute.ts";
import { DOCKER_USER, FIREWALL, USER_FIREWALL } from "./firewall_plan.ts";
import { ourDockerRules } from "./foreign_firewalls.ts";
import { readHostChanges } from "./host_changes.ts";
import type { NetworkStep } from "./network_step.ts";
import { findLink } from "./observe.ts";
import { restoreName } from "./reconcile.ts";

/**
 * Removes links, tables and files, and puts every parameter of the host back to what it was. Forwarding ends before the
 * rules that keep the host from being a router do.
 */
export function purgeHost(executor: NetworkExecutor, paths: Paths): void {
  const failures: unknown[] = [];
  for (const part of [removeLinks, restoreSysctls, removeFirewall, removeFiles]) {
    try {
      part(executor, paths);
    } catch (error) {
      failures.push(error);
    }
  }
  executor.keep();
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, "The host could not be restored completely");
}

function removeLinks(executor: NetworkExecutor, paths: Paths): void {
  restoreName(executor, paths);
  if (findLink(executor.host, BRIDGE_LINK)?.kind !== "bridge") return; // none, or somebody else's of that name
  executor.run([{ do: "delete link", purpose: "undo", side: "host", link: BRIDGE_LINK }]);
}

function removeFirewall(executor: NetworkExecutor): void {
  const operations: NftOperation[] = [];
  if (getTable(executor.nft, FIREWALL)) operations.push({ verb: "delete", table: FIREWALL });
  if (getTable(executor.nft, USER_FIREWALL) && userTableIsEmpty(executor)) {
    operations.push({ verb: "delete", table: USER_FIREWALL });
  }
  for (const { handle } of ourDockerRules(executor)) {
    operations.push({ verb: "delete", rule: { ...DOCKER_USER, handle } });
  }
  executor.run(
    operations.map((operation): NetworkStep => ({ do: "change firewall", purpose: "undo", side: "host", operation })),
  );
}

/** What the user has written is the user's: such a table stays. */
function userTableIsEmpty({ nft }: NetworkExecutor): boolean {
  const { family, name } = USER_FIREWALL;
  const chains = dumpChains(nft).filter((chain) => chain.family === family && chain.table === name);
  const asMade = chains.length <= 1 && chains.every(({ base }) => base?.policy !== "drop");
  return asMade && dumpSets(nft, USER_FIREWALL).length === 0 &&
    dumpRules(nft, { family, table: name }).length === 0;
}

function restoreSysctls(executor: NetworkExecutor, paths: Paths): void {
  const steps: NetworkStep[] = [];
  const { sysctls } = readHostChanges(paths);
  for (const name in sysctls) {
    const value = sysctls[name] as string;
    const now = readSysctl(name);
    // Whoever made the host a router meanwhile (ip_forward=1) is to be obeyed; a link may have gone.
    if (now === null || now === value || readSysctl("net.ipv4.ip_forward") === "1") continue;
    steps.push({ do: "write sysctl", purpose: "undo", side: "host", name, value });
  }
  executor.run(steps);
}

function removeFiles(_executor: NetworkExecutor, paths: Paths): void {
  for (
    const path of [
      ...[paths.networks, paths.names, paths.containers, paths.joinedDirectory, paths.containerRunDirectory],
      paths.directoryUses,
    ]
  ) {
    rmSync(path, { recursive: true, force: true });
  }
  for (
    const path of [paths.networkIntents, paths.formerAddresses, paths.rootfsDirectory, paths.containerDataDirectory]
  ) {
    rmSync(path, { recursive: true, force: true });
  }
  for (const path of [paths.hostChanges, `${paths.hostChanges}.new`, paths.stateLock, paths.networkLock]) {
    rmSync(path, { force: true });
  }
  for (const path of [paths.runRoot, paths.root]) removeIfEmpty(path);
}
