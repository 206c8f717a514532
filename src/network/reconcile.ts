/**
 * Makes the bridge network what it shall be, from whatever is there: reads everything, plans, corrects. Under the
 * exclusive network lock; used by the first start, `net init`, `net reset`, and a start that found something changed.
 */
import type { NftOperation } from "../kernel/nftables/operation.ts";
import { getTable } from "../kernel/nftables/dump.ts";
import { readGeneration } from "../kernel/nftables/generation.ts";
import { readLegacyForward } from "../kernel/xtables.ts";
import { isKernelError } from "../../ffi/errno.ts";
import { removeFile } from "../kernel/files.ts";
import { type Link, listLinks } from "../kernel/netlink/link.ts";
import { formatIpv4Network, overlaps, parseIpv4Network } from "../kernel/ipv4.ts";
import type { Route } from "../kernel/netlink/route.ts";
import { routeFingerprint } from "../kernel/netlink/route_fingerprint.ts";
import type { NetlinkSocket } from "../kernel/netlink/socket.ts";
import { type ContainerRecord, listContainers } from "../store/containers.ts";
import { type NetworkIntent, readNetwork, writeNetwork } from "../store/networks.ts";
import type { Paths } from "../store/paths.ts";
import { UserError } from "../user_error.ts";
import {
  BRIDGE_LINK,
  bridgeIntent,
  bridgeNetwork,
  type BridgeState,
  describeLegacy,
  isRouter,
  ownRoutes,
  readBridgeIntent,
  readBridgeState,
  writeBridgeState,
} from "./bridge.ts";
import {
  type BridgeNetwork,
  type ObservedBridge,
  planBridge,
  routedLinks,
  type Uplink,
  wantedFirewall,
} from "./bridge_plan.ts";
import { hardenedParameters } from "./parameter_plan.ts";
import type { NetworkExecutor } from "./execute.ts";
import { FIREWALL, ptpElements, USER_FIREWALL } from "./firewall_plan.ts";
import { lookAtForeignFirewalls, meetForeignFirewalls } from "./foreign_firewalls.ts";
import { readHostChanges, recordHostChanges, writeHostChanges } from "./host_changes.ts";
import type { NetworkStep } from "./network_step.ts";
import {
  addressesOf,
  findLink,
  hasSoundAddress,
  hostRoutes,
  observeUplinks,
  readParameters,
  routedNetworks,
} from "./observe.ts";
import { fixedNeighbours, readBridgeAlterations } from "./alterations.ts";
import { observeTable } from "./observe_firewall.ts";
import { PTP_NETWORK } from "./ptp.ts";
import { freeRange, rangeCandidates, SHORTEST_TELLING_PREFIX } from "./range.ts";

/** How far the bridge is corrected. */
export interface ReconcileOptions {
  /** Takes from the bridge the addresses that somebody added, too. */
  readonly strict: boolean;
}

/** Corrects what differs, and records what a start needs to know. Returns the network as it is now. */
export function reconcile(executor: NetworkExecutor, paths: Paths, options: ReconcileOptions): BridgeNetwork {
  restoreName(executor, paths);
  const { network, intent, observed, look } = observe(executor, paths, options);
  const steps = planBridge(network, observed);
  recordTurnedOn(executor, paths, routedLinks(observed));
  executor.run(steps);
  const generation = verifyFirewall(executor, wantedFirewall(network, observed));
  const uplink = observed.uplinks[0]?.link;
  const met = meetForeignFirewalls(executor, paths, { network, uplink });
  const notices = { bridge: [...look.overlaps.bridge, ...met.bridge], ptp: [...look.overlaps.ptp, ...met.ptp] };
  recordLook(executor, paths, { network, intent, observed, look, notices, generation });
  return network;
}

/** The steps that would be taken now, and what a container would find then; nothing is changed. */
export function planReconcile(
  executor: NetworkExecutor,
  paths: Paths,
): { steps: NetworkStep[]; intent: NetworkIntent; mtu: number } {
  const { network, intent, observed } = observe(executor, paths, { strict: false });
  const { steps } = lookAtForeignFirewalls(executor, paths, { network, uplink: observed.uplinks[0]?.link });
  return { steps: [...planBridge(network, observed), ...steps], intent, mtu: network.mtu };
}

/** A bridge of ours that somebody gave another name gets its own back, under its ports and connections. */
export function restoreName(executor: NetworkExecutor, paths: Paths): void {
  const state = readBridgeState(paths);
  if (!state || findLink(executor.host, BRIDGE_LINK)) return;
  const link = findLink(executor.host, state.index);
  if (link?.kind !== "bridge" || link.address !== state.mac) return;
  const rename = { do: "rename link", purpose: "bridge", link: link.name, name: BRIDGE_LINK } as const;
  try {
    executor.run([rename]);
  } catch (error) {
    if (!isKernelError(error, "EBUSY")) throw error; // before Linux 6.2 a link must be down for it
    executor.run([
      { do: "set link", purpose: "bridge", side: "host", link: link.name, settings: { up: false } },
      rename,
    ]);
  }
}

/** The indexes of containers' host ends, by their names, or by their MACs where somebody gave them other names. */
function hostEnds(socket: NetlinkSocket, containers: readonly ContainerRecord[]): number[] {
  let all: Link[] | undefined;
  const ends: number[] = [];
  for (const { attachment } of containers) {
    if (!attachment) continue;
    const { hostLink, hostMac } = attachment;
    const end = findLink(socket, hostLink) ??
      (all ??= listLinks(socket)).find(({ kind, address }) => kind === "veth" && address === hostMac);
    if (end) ends.push(end.index);
  }
  return ends;
}

function observe(executor: NetworkExecutor, paths: Paths, { strict }: ReconcileOptions) {
  const { host, nft } = executor;
  const link = findLink(host, BRIDGE_LINK);
  if (link && link.kind !== "bridge") {
    throw new UserError(`There is a link "${BRIDGE_LINK}" on this host that is not a bridge; rename or remove it`);
  }
  const containers = listContainers(paths);
  const ours = new Set<number>([...(link ? [link.index] : []), ...hostEnds(host, containers)]);
  const pairs = readNetwork(paths, PTP_NETWORK)?.subnet ?? null;
  // Before the routes themselves: one that comes in between is found by the next start.
  const fingerprint = routeFingerprint(host, ownRoutes({ index: link?.index ?? 0, pairs }));
  const routes = hostRoutes(host);
  const intent = readBridgeIntent(paths) ?? chooseRange(routedNetworks(routes, ours));
  const { uplinks, mtu } = observeUplinks(host, { routes, ours });
  const network = bridgeNetwork(intent, mtu);
  const router = isRouter();
  const routed = router ? [] : linksTurnedOn(paths, uplinks);
  const elements: NftOperation[] = [];
  for (const { attachment } of containers) {
    if (attachment?.network !== "ptp" || attachment.detached) continue;
    const { hostLink, masquerade } = attachment;
    elements.push(...ptpElements({ link: hostLink, owner: hostLink, masquerade }));
  }
  const base = { uplinks, routed, elements };
  const names = [...hardenedParameters(link ? BRIDGE_LINK : "default").map(([name]) => name)];
  const parameters = link
    ? readParameters([...names, `net.ipv4.conf.${BRIDGE_LINK}.forwarding`])
    : asFresh(readParameters([...names, "net.ipv4.conf.default.forwarding"]));
  const altered = strict && link ? readBridgeAlterations(host, link) : { settings: {}, parameters: [] };
  const observed: ObservedBridge = {
    ...base,
    link: link && {
      up: link.up,
      mtu: link.mtu,
      address: link.address,
      addresses: addressesOf(host, link.index).filter((address) => strict || address === network.gateway),
      sound: hasSoundAddress(host, { link: link.index, up: link.up, wanted: network.gateway, first: strict }),
      altered: altered.settings,
      fixedNeighbours: strict ? fixedNeighbours(host, link.index) : [],
    },
    parameters,
    alteredParameters: altered.parameters,
    firewall: observeTable(nft, { table: FIREWALL, wanted: wantedFirewall(network, base) }),
    userFirewall: getTable(nft, USER_FIREWALL) !== undefined,
  };
  const into = (subnet: string | null) => subnet === null ? [] : overlapNotices(host, { routes, ours, subnet });
  const look = { router, pairs, routes: fingerprint, overlaps: { bridge: into(intent.subnet), ptp: into(pairs) } };
  return { network, intent, observed, look };
}

/**
 * The generation of a rule set that was seen to be right: read before the look, so that a change during it is noticed
 * by the next start. DOCKER-USER rules of ours come after it, so the next start looks once more, and then no more.
 */
function verifyFirewall(executor: NetworkExecutor, wanted: readonly NftOperation[]): number {
  for (let attempt = 0; attempt < MOST_LOOKS; attempt++) {
    const generation = readGeneration(executor.nft);
    if (observeTable(executor.nft, { table: FIREWALL, wanted }) === "healthy") return generation;
  }
  throw new UserError("The firewall is not what it was set to: somebody else keeps changing the table inet skdocker");
}

const MOST_LOOKS = 5;

/** A new link takes over the parameters of `default`. */
function asFresh(parameters: Readonly<Record<string, string | null>>): Record<string, string | null> {
  const fresh: Record<string, string | null> = {};
  for (const name in parameters) {
    fresh[name.replace(".default.", `.${BRIDGE_LINK}.`)] = parameters[name] as string | null;
  }
  return fresh;
}

function chooseRange(routes: Parameters<typeof freeRange>[1]): NetworkIntent {
  const range = freeRange(rangeCandidates(), routes);
  if (range) return bridgeIntent(range);
  throw new UserError("No range of addresses is left for the bridge: the host has routes into all that skdocker uses");
}

/** A range that was chosen for a network that could not be made is not chosen for good. */
function writeIntentOnce(executor: NetworkExecutor, paths: Paths, intent: NetworkIntent): void {
  if (readBridgeIntent(paths)) return;
  executor.undoWith(() => removeFile(paths.networkIntent(intent.name)));
  writeNetwork(paths, intent);
}

/** Forwarding that is turned on now, and links that got another name since it was. */
function recordTurnedOn(executor: NetworkExecutor, paths: Paths, links: readonly Uplink[]): void {
  const before = readHostChanges(paths);
  const names = links.map(({ link }) => forwardingOf(link)).filter((name) => before.sysctls[name] === undefined);
  if (names.length === 0) return;
  executor.undoWith(() => writeHostChanges(paths, before));
  recordHostChanges(paths, { sysctls: Object.fromEntries(names.map((name) => [name, "0"])) });
}

/** Links that skdocker has let forward, by the names they have now. */
function linksTurnedOn(paths: Paths, uplinks: readonly Uplink[]): string[] {
  const { sysctls } = readHostChanges(paths);
  const former = new Map(readBridgeState(paths)?.uplinks.map(({ index, link }) => [index, link]));
  return uplinks.filter(({ index, link }) =>
    [link, former.get(index)].some((name) => name !== undefined && sysctls[forwardingOf(name)] !== undefined)
  ).map(({ link }) => link);
}

function forwardingOf(link: string): string {
  return `net.ipv4.conf.${link}.forwarding`;
}

/** Routes that somebody has made into a range of ours: what goes to a container there goes another way. */
function overlapNotices(host: NetlinkSocket, { routes, ours, subnet }: Overlap): string[] {
  const range = parseIpv4Network(subnet);
  const notices: string[] = [];
  for (const route of routes) {
    const [network] = routedNetworks([route], ours).filter(({ prefix }) => prefix >= SHORTEST_TELLING_PREFIX);
    if (!network || !overlaps(range, network)) continue;
    const link = route.link === undefined ? null : findLink(host, route.link);
    const via = link ? ` over "${link.name}"` : "";
    notices.push(
      `the host's route to ${formatIpv4Network(network)}${via} leads into the range ${subnet} of containers; ` +
        `"skdocker net reset --purge" lets the next start choose another range`,
    );
  }
  return notices;
}

interface Overlap {
  readonly routes: readonly Route[];
  readonly ours: ReadonlySet<number>;
  readonly subnet: string;
}

function recordLook(
  executor: NetworkExecutor,
  paths: Paths,
  { network, intent, observed, look, notices, generation }: {
    network: BridgeNetwork;
    intent: NetworkIntent;
    observed: ObservedBridge;
    look: Pick<BridgeState, "router" | "pairs" | "routes">;
    notices: BridgeState["notices"];
    generation: number;
  },
): void {
  const link = findLink(executor.host, network.link);
  if (!link) throw new UserError(`The bridge "${network.link}" was removed while it was being set up`);
  executor.knowIndex(network.link, link.index);
  const state: BridgeState = {
    index: link.index,
    mtu: network.mtu,
    gateway: network.gateway,
    subnet: intent.subnet,
    mac: network.address,
    generation,
    uplinks: observed.uplinks.map(({ index, link: name, mtu }) => ({ index, link: name, mtu })),
    router: look.router,
    routes: look.routes,
    pairs: look.pairs,
    legacy: describeLegacy(readLegacyForward()),
    notices,
  };
  writeIntentOnce(executor, paths, intent);
  writeBridgeState(paths, state);
}
