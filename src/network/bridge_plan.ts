/**
 * The bridge network, as it shall be, and the steps that lead there from what is. Pure.
 *
 * One function serves the first start, `net init`, the check at every start and `net reset`: only what differs is
 * changed, so on a healthy host the plan is empty. A bridge that exists is corrected, never made anew.
 */
import type { NftOperation } from "../kernel/nftables/operation.ts";
import type { Mac } from "../kernel/mac.ts";
import { bridgeElements, makeFirewall, makeUserFirewall, removeFirewall, routedElements } from "./firewall_plan.ts";
import type { LinkSettings, NetworkStep } from "./network_step.ts";
import { hardenedParameters, type LinkParameters, parameterSteps } from "./parameter_plan.ts";

/** The bridge network that is wanted. */
export interface BridgeNetwork {
  readonly name: string;
  readonly link: string;
  /** The host's address with the prefix length: `172.16.0.1/16`. */
  readonly gateway: string;
  readonly address: Mac;
  readonly mtu: number;
}

/** A link of the host by which packets of containers may leave. */
export interface Uplink {
  readonly link: string;
  readonly index: number;
  readonly bridge: boolean;
  readonly mtu: number;
  readonly forwarding: boolean;
}

/** What was found on the host. */
export interface ObservedBridge {
  readonly link: {
    readonly up: boolean;
    readonly mtu: number;
    readonly address: string | undefined;
    /**
     * Those to be held against the network's own, in the kernel's order: all of them for `net reset`, at a start the
     * network's own alone, since one that the administrator added is to stay until she asks for a reset.
     */
    readonly addresses: readonly string[];
    /** Whether the network's own address is the first, as skdocker gives it, with all routes that it brings. */
    readonly sound: boolean;
    /** What else was altered, with the values of a new bridge: looked for by `net reset` alone. */
    readonly altered: LinkSettings;
    /** Neighbours that somebody fixed, by address. */
    readonly fixedNeighbours: readonly string[];
  } | null;
  /** Of the bridge, by the names of {@link hardenedParameters}. Empty where there is no bridge. */
  readonly parameters: LinkParameters;
  /** Others of its parameters that are not a new link's, with the values of one: looked for by `net reset` alone. */
  readonly alteredParameters: readonly (readonly [name: string, value: string])[];
  readonly uplinks: readonly Uplink[];
  /** Links whose forwarding skdocker has turned on before. */
  readonly routed: readonly string[];
  readonly firewall: "missing" | "damaged" | "healthy";
  readonly userFirewall: boolean;
  /** Elements of containers that live, to be put into a table that is made anew. */
  readonly elements: readonly NftOperation[];
}

/** What a new bridge has. */
const DEFAULT_BRIDGE_MTU = 1500;

/**
 * The steps to a bridge network that is as it should be. The rules come before forwarding: there is no moment in which
 * the host is a router for others.
 */
export function planBridge(network: BridgeNetwork, observed: ObservedBridge): NetworkStep[] {
  return [...linkSteps(network, observed), ...firewallSteps(network, observed), ...forwardingSteps(network, observed)];
}

function linkSteps(
  network: BridgeNetwork,
  { link: found, parameters, alteredParameters }: ObservedBridge,
): NetworkStep[] {
  const { link, address, mtu, gateway } = network;
  const steps: NetworkStep[] = [];
  if (!found) steps.push({ do: "add bridge", purpose: "bridge", link, address });
  // Before the address, with which the kernel forgets them itself.
  for (const ip of found?.fixedNeighbours ?? []) steps.push({ do: "delete neighbour", purpose: "neighbour", link, ip });
  steps.push(...parameterSteps(hardenedParameters(link), parameters));
  steps.push(...parameterSteps(alteredParameters, {}));
  const sound = found?.sound ?? false; // otherwise it is made anew, and with it its routes
  for (const other of found?.addresses.toReversed() ?? []) {
    if (sound && other === gateway) continue;
    steps.push({ do: "delete address", purpose: "bridge", side: "host", link, address: other });
  }
  if (!sound) steps.push({ do: "add address", purpose: "bridge", side: "host", link, address: gateway });
  const settings: LinkSettings = {
    ...found?.altered,
    ...(found && found.address !== address ? { address } : {}),
    // Set once it exists: an MTU given at creation is forgotten when the last port goes.
    ...((found?.mtu ?? DEFAULT_BRIDGE_MTU) === mtu ? {} : { mtu }),
    ...(found?.up ? {} : { up: true }),
  };
  if (Object.keys(settings).length > 0) {
    steps.push({ do: "set link", purpose: "bridge", side: "host", link, settings });
  }
  return steps;
}

/** The uplinks that are to forward for our networks alone, because skdocker is the one that lets them forward. */
export function routedLinks({ uplinks, routed }: Pick<ObservedBridge, "uplinks" | "routed">): Uplink[] {
  return uplinks.filter(({ link, forwarding }) => !forwarding || routed.includes(link));
}

/** Forwarding link by link: the host's own switch, ip_forward, stays as it is. */
function forwardingSteps({ link }: BridgeNetwork, { uplinks, parameters }: ObservedBridge): NetworkStep[] {
  const steps: NetworkStep[] = [];
  const turnOn = (name: string) =>
    steps.push({ do: "write sysctl", purpose: "forward", side: "host", name, value: "1" });
  const own = `net.ipv4.conf.${link}.forwarding`;
  if (parameters[own] !== "1") turnOn(own);
  for (const uplink of uplinks) if (!uplink.forwarding) turnOn(`net.ipv4.conf.${uplink.link}.forwarding`);
  return steps;
}

/** All of `inet skdocker`: the constant rules, and the elements of the network, of the host, and of what else lives. */
export function wantedFirewall(
  network: BridgeNetwork,
  observed: Pick<ObservedBridge, "uplinks" | "routed" | "elements">,
): NftOperation[] {
  const operations = [
    ...makeFirewall(),
    ...bridgeElements({ link: network.link, owner: network.name, masquerade: true }),
  ];
  for (const { link, bridge } of routedLinks(observed)) {
    operations.push(...routedElements({ link, owner: "host", bridge }));
  }
  return [...operations, ...observed.elements];
}

function firewallSteps(network: BridgeNetwork, observed: ObservedBridge): NetworkStep[] {
  const operations: NftOperation[] = [];
  if (observed.firewall === "damaged") operations.push(...removeFirewall());
  if (observed.firewall !== "healthy") operations.push(...wantedFirewall(network, observed));
  if (!observed.userFirewall) operations.push(...makeUserFirewall());
  return operations.map((operation) => ({ do: "change firewall", purpose: "firewall", side: "host", operation }));
}
