/**
 * The default bridge: found healthy by a few questions at every start, made or corrected when it is not.
 *
 * The fingerprint of the last full look (RUN/networks/bridge/state.json) says what to ask. The rule set's generation
 * number tells that nobody has changed any rule since; links are asked one by one. Only when an answer differs is
 * everything read, planned and corrected, under the exclusive network lock.
 */
import {
  firstAddress,
  formatIpv4,
  formatIpv4Network,
  ipv4FromNumber,
  type Ipv4Network,
  parseIpv4,
  parseIpv4Network,
} from "../kernel/ipv4.ts";
import { isKernelError } from "../../ffi/errno.ts";
import { type Mac, parseMac } from "../kernel/mac.ts";
import { makeDirectories } from "../kernel/directories.ts";
import { readAll, replaceFile, tryOpen } from "../kernel/files.ts";
import { Descriptor } from "../kernel/descriptor.ts";
import type { LegacyForward } from "../kernel/xtables.ts";
import { getRoute } from "../kernel/netlink/route.ts";
import { type OwnRoutes, routeFingerprint } from "../kernel/netlink/route_fingerprint.ts";
import { readGeneration } from "../kernel/nftables/generation.ts";
import { readSysctl } from "../host/sysctl.ts";
import { takeLock } from "../store/lock.ts";
import { type NetworkIntent, readJson, readNetwork } from "../store/networks.ts";
import type { Paths } from "../store/paths.ts";
import type { BridgeNetwork } from "./bridge_plan.ts";
import type { NetworkExecutor } from "./execute.ts";
import { addressesOf, findLink } from "./observe.ts";
import { UndoStack } from "../undo.ts";

/** The default network and its link: `br0` is often taken on real hosts. */
export const BRIDGE_NETWORK = "bridge";
export const BRIDGE_LINK = "skbr0";

/** What a full look found, and what a start needs of it. */
export interface BridgeState {
  readonly index: number;
  readonly mtu: number;
  readonly gateway: string;
  readonly subnet: string;
  readonly mac: string;
  /** The rule set's generation, anyone's changes counted. */
  readonly generation: number;
  readonly uplinks: readonly { readonly index: number; readonly link: string; readonly mtu: number }[];
  /** The host's routes as a number (route_fingerprint.ts), so that a new way out is found; null where they are too many. */
  readonly routes: number | null;
  /** The range of the pairs, whose routes are ours; null where there has been none. */
  readonly pairs: string | null;
  /** What iptables-legacy had at FORWARD, as text: its changes do not count in the generation. Empty: not in use. */
  readonly legacy: string;
  /** Whether the administrator had made the host a router (ip_forward=1): then our rules let it be one. */
  readonly router: boolean;
  /** What other tools' firewalls do to the traffic of each network, one sentence each. */
  readonly notices: { readonly bridge: readonly string[]; readonly ptp: readonly string[] };
}

/** A healthy bridge, with the network lock held shared: until it is given back, nobody takes the network away. */
export interface ReadyBridge {
  readonly state: BridgeState;
  readonly lock: Descriptor;
}

/** How often a start looks again when others change the network at the same time. */
const MOST_LOOKS = 5;

/** Makes sure of the bridge. What had to be corrected was announced by the executor, step by step. */
export async function ensureBridge(executor: NetworkExecutor, paths: Paths): Promise<ReadyBridge> {
  for (let look = 0; look < MOST_LOOKS; look++) {
    const lock = takeLock(paths.networkLock, "shared");
    try {
      const state = readBridgeState(paths);
      if (state && isHealthy(executor, state) && await legacyText() === state.legacy) {
        executor.knowIndex(BRIDGE_LINK, state.index);
        return { state, lock };
      }
    } catch (error) {
      lock.close();
      throw error;
    }
    lock.close(); // a shared lock cannot be made exclusive without giving it up
    using _exclusive = takeLock(paths.networkLock, "exclusive");
    const { reconcile } = await import("./reconcile.ts");
    using failed = new UndoStack();
    failed.defer(() => executor.undo()); // while nobody else can have begun to use what is taken back
    reconcile(executor, paths, { strict: false });
    failed.move();
    executor.keep(); // the network stays, whatever becomes of this container
  }
  throw new Error("the host's network keeps changing while the bridge is being set up");
}

/** Of the fingerprint: another version's, which may mean other things, is no use. Raised with every change of it. */
const STATE_FORMAT = 2;

/** The fingerprint; `undefined` before the first full look of this version since the machine started. */
export function readBridgeState(paths: Paths): BridgeState | undefined {
  const state = readJson(paths.networkState(BRIDGE_NETWORK)) as (BridgeState & { format?: number }) | undefined;
  return state?.format === STATE_FORMAT ? state : undefined;
}

/** Records a full look. */
export function writeBridgeState(paths: Paths, state: BridgeState): void {
  makeDirectories(paths.network(BRIDGE_NETWORK), { mode: 0o711 });
  replaceFile(paths.networkState(BRIDGE_NETWORK), JSON.stringify({ format: STATE_FORMAT, ...state }) + "\n");
}

/** An address that is nobody's (RFC 5737): the way to it is the way outside. */
const OUTSIDE = parseIpv4("192.0.2.1");

function isHealthy(executor: NetworkExecutor, state: BridgeState): boolean {
  if (readGeneration(executor.nft) !== state.generation) return false;
  const link = findLink(executor.host, state.index);
  if (!link || link.name !== BRIDGE_LINK || !link.up || link.mtu !== state.mtu || link.address !== state.mac) {
    return false;
  }
  if (link.ipv4?.forwarding !== 1 || (link.ipv6 && link.ipv6.disable_ipv6 !== 1)) return false;
  if (isRouter() !== state.router) return false;
  const addresses = addressesOf(executor.host, state.index);
  if (!addresses.includes(state.gateway)) return false;
  return uplinksAreSame(executor, state) &&
    (state.routes === null || routeFingerprint(executor.host, ownRoutes(state)) === state.routes);
}

/** The routes that are skdocker's own. */
export function ownRoutes({ index, pairs }: Pick<BridgeState, "index" | "pairs">): OwnRoutes {
  return { link: index, pairs: pairs === null ? null : parseIpv4Network(pairs) };
}

/** As {@link BridgeState.legacy} now. Hosts that do not use it pay for one question. */
async function legacyText(): Promise<string> {
  const file = tryOpen("/proc/self/net/ip_tables_names");
  if (file < 0) return ""; // this kernel has no iptables-legacy
  using names = new Descriptor(file);
  if (readAll(names.fd).length === 0) return "";
  const { readLegacyForward } = await import("../kernel/xtables.ts");
  return describeLegacy(readLegacyForward());
}

/** What {@link BridgeState.legacy} says of an answer. */
export function describeLegacy(forward: LegacyForward | undefined): string {
  return forward === undefined ? "" : JSON.stringify(forward);
}

/** Whether the administrator has made the host a router. */
export function isRouter(): boolean {
  return readSysctl("net.ipv4.ip_forward") === "1";
}

function uplinksAreSame(executor: NetworkExecutor, { uplinks }: BridgeState): boolean {
  for (const { index, link: name, mtu } of uplinks) {
    const link = findLink(executor.host, index);
    // By another name it would be a link that forwards for everybody: the rules know it by its name.
    if (!link || link.name !== name || link.mtu !== mtu || link.ipv4?.forwarding !== 1) return false;
  }
  const out = wayOut(executor);
  if (out === undefined) return true;
  for (const { index } of uplinks) if (index === out) return true;
  return false;
}

function wayOut(executor: NetworkExecutor): number | undefined {
  try {
    return getRoute(executor.host, OUTSIDE).link;
  } catch (error) {
    if (isKernelError(error, "ENETUNREACH", "EHOSTUNREACH", "EINVAL", "EACCES")) return undefined; // no way out at all
    throw error;
  }
}

/** The network of an intent, with the MTU it is to have now. */
export function bridgeNetwork(intent: NetworkIntent, mtu: number): BridgeNetwork {
  const { prefix } = parseIpv4Network(intent.subnet);
  return {
    name: intent.name,
    link: BRIDGE_LINK,
    gateway: `${intent.gateway}/${prefix}`,
    address: parseMac(intent.mac ?? ""),
    mtu,
  };
}

/** The intent for a range: the host is its first address. */
export function bridgeIntent(subnet: Ipv4Network): NetworkIntent {
  const gateway = ipv4FromNumber(firstAddress(subnet) + 1);
  return {
    name: BRIDGE_NETWORK,
    driver: "bridge",
    subnet: formatIpv4Network(subnet),
    gateway: formatIpv4(gateway),
    link: BRIDGE_LINK,
    mac: macOf(gateway, 0x52),
  };
}

/**
 * The fixed address of a link, from its IPv4 address: the same address always has the same one, so nobody's neighbour
 * cache grows stale when it is used again. Locally administered (bit 1 of the first octet); the second octet tells
 * bridges, containers and host ends apart.
 */
export function macOf(address: number, kind: 0x52 | 0x53 | 0x54): Mac {
  const octets = [2, kind, address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255];
  return octets.map((octet) => octet.toString(16).padStart(2, "0")).join(":") as Mac;
}

/** The bridge's recorded intent, if the network was ever made. */
export function readBridgeIntent(paths: Paths): NetworkIntent | undefined {
  return readNetwork(paths, BRIDGE_NETWORK);
}
