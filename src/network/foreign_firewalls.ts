/** Other tools' firewalls at a full look: dockerd's own door is used, anything else that drops our traffic is told. */
import { isKernelError } from "../../ffi/errno.ts";
import { readSysctl } from "../host/sysctl.ts";
import { firstAddress, formatIpv4, parseIpv4Network } from "../kernel/ipv4.ts";
import { dumpRules } from "../kernel/nftables/dump.ts";
import { expressionsText } from "../kernel/nftables/expression.ts";
import { readForwardTables } from "../kernel/nftables/forward_rules.ts";
import type { NftOperation } from "../kernel/nftables/operation.ts";
import type { DumpedRule } from "../kernel/nftables/rule.ts";
import { readLegacyForward } from "../kernel/xtables.ts";
import { readNetwork } from "../store/networks.ts";
import type { Paths } from "../store/paths.ts";
import type { BridgeState } from "./bridge.ts";
import type { BridgeNetwork } from "./bridge_plan.ts";
import type { NetworkExecutor } from "./execute.ts";
import { DOCKER_USER, DOCKER_USER_COMMENT, dockerUserRules } from "./firewall_plan.ts";
import { foreignForwardDrops, legacyForwardDrop, type OurTraffic, PAIRS } from "./foreign_firewall_plan.ts";
import { recordHostChanges } from "./host_changes.ts";
import type { NetworkStep } from "./network_step.ts";
import { PTP_NETWORK } from "./ptp.ts";

/** What is found of them. */
export interface ForeignFirewalls {
  /** What a user should hear, network by network. */
  readonly notices: BridgeState["notices"];
  /** What lets our traffic through where a tool has a door for that. */
  readonly steps: readonly NetworkStep[];
}

/** Reads all chains at the forward hook, and works out what is to be done and said. */
export function lookAtForeignFirewalls(
  executor: NetworkExecutor,
  paths: Paths,
  { network, uplink }: { network: BridgeNetwork; uplink: string | undefined },
): ForeignFirewalls {
  const tables = readForwardTables(executor.nft, { except: ["inet skdocker", "inet skdocker-user"] });
  const legacy = readLegacyForward();
  const range = readNetwork(paths, PTP_NETWORK)?.subnet;
  let docker = false;
  const look = (ours: OurTraffic | null): string[] => {
    if (!ours) return [];
    const drops = foreignForwardDrops(tables, ours);
    const old = legacyForwardDrop(legacy, ours);
    if (old) drops.push(old);
    docker ||= drops.some((drop) => drop.docker);
    return drops.filter((drop) => !drop.docker).map(({ family, table, chain, reason, remedy }) =>
      `chain "${chain}" of table "${family} ${table}" drops what containers send (${reason}); to let it pass: ${remedy}`
    );
  };
  const notices = {
    bridge: look(bridgeTraffic(network, uplink)),
    ptp: look(range === undefined ? null : ptpTraffic(range, uplink)),
  };
  return { notices, steps: docker ? dockerUserSteps(executor, { link: network.link, range }) : [] };
}

/** Lets our traffic through; returns what a user should hear. */
export function meetForeignFirewalls(
  executor: NetworkExecutor,
  paths: Paths,
  about: { network: BridgeNetwork; uplink: string | undefined },
): BridgeState["notices"] {
  const { notices, steps } = lookAtForeignFirewalls(executor, paths, about);
  if (steps.length > 0) recordHostChanges(paths, { dockerUser: true });
  executor.run(steps);
  return notices;
}

function bridgeTraffic({ link, gateway }: BridgeNetwork, uplink: string | undefined): OurTraffic {
  return {
    link,
    address: someAddress(gateway),
    within: readSysctl("net.bridge.bridge-nf-call-iptables") === "1",
    ...(uplink === undefined ? {} : { uplink }),
  };
}

function ptpTraffic(range: string, uplink: string | undefined): OurTraffic {
  const link = `${PAIRS}00000000`; // stands for all of them
  return { link, range, address: someAddress(range), within: true, ...(uplink === undefined ? {} : { uplink }) };
}

/** For rules that go by address. */
function someAddress(network: string): string {
  return formatIpv4(firstAddress(parseIpv4Network(network)));
}

function dockerUserSteps(
  executor: NetworkExecutor,
  { link, range }: { link: string; range: string | undefined },
): NetworkStep[] {
  const pairs = range === undefined ? null : { prefix: PAIRS, range: parseIpv4Network(range) };
  const wanted = dockerUserRules({ link, pairs });
  const found = ourDockerRules(executor);
  if (isSame(found, wanted)) return [];
  const gone = found.map(({ handle }): NftOperation => ({ verb: "delete", rule: { ...DOCKER_USER, handle } }));
  return [...gone, ...wanted].map((operation) => ({
    do: "change firewall",
    purpose: "docker",
    side: "host",
    operation,
  }));
}

/** Each rule is inserted before the last, so they stand in reverse. What is counted is no difference. */
function isSame(found: readonly DumpedRule[], wanted: readonly NftOperation[]): boolean {
  const text = ({ expressions }: Pick<DumpedRule, "expressions">) => expressionsText(expressions, DOCKER_USER.family);
  const expected = wanted.flatMap((operation) =>
    "rule" in operation && "expressions" in operation.rule ? [text(operation.rule)] : []
  );
  return found.map(text).toReversed().join("\n") === expected.join("\n");
}

/** The rules of ours in dockerd's chain, in their order. */
export function ourDockerRules({ nft }: NetworkExecutor): DumpedRule[] {
  try {
    return dumpRules(nft, DOCKER_USER).filter(({ comment }) => comment === DOCKER_USER_COMMENT);
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return []; // no docker here, or no more
    throw error;
  }
}
