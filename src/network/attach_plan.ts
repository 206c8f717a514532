/** A container's link and address: the steps from nothing, on a bridge or as a routed pair. Pure. */
import type { Mac } from "../kernel/mac.ts";
import type { AttachmentRecord } from "../store/containers.ts";
import { hardenedParameters, type LinkParameters, parameterSteps } from "./parameter_plan.ts";
import type { NetworkStep } from "./network_step.ts";

/** The container's end of its pair. */
export const CONTAINER_LINK = "eth0";

/** A container's attachment with what only names it. */
export interface Attaching {
  readonly attachment: AttachmentRecord;
  /** The link's alias on the host, so that `ip link` explains itself. */
  readonly alias: string;
  /** Name of the bridge; null for ptp. */
  readonly bridge: string | null;
}

/**
 * Parameters of a container's own namespace that it would otherwise inherit from the host's or the kernel's defaults.
 * The first clears forwarding of `default`, too. With arp_notify a link announces its address when it gets a MAC
 * (settle.ts). IPv6 is off for links still to come, so that eth0 gets no address of its own on a network without IPv6;
 * lo, which is there already, keeps ::1.
 */
export const NAMESPACE_PARAMETERS: readonly (readonly [name: string, value: string])[] = [
  ["net.ipv4.conf.all.forwarding", "0"],
  ["net.ipv4.conf.all.route_localnet", "0"],
  ["net.ipv4.conf.default.route_localnet", "0"],
  ["net.ipv4.conf.all.rp_filter", "0"],
  ["net.ipv4.conf.default.rp_filter", "0"],
  ["net.ipv4.conf.default.arp_notify", "1"],
  ["net.ipv6.conf.default.disable_ipv6", "1"],
];

/** A namespace with those parameters that differ in it, and lo up or not. */
export function planNamespace(inherited: LinkParameters, { loopback }: { loopback: "up" | "down" }): NetworkStep[] {
  const steps: NetworkStep[] = [{ do: "add namespace", purpose: "namespace" }];
  for (const [name, value] of NAMESPACE_PARAMETERS) {
    const current = inherited[name];
    if (current === null || current === value) continue;
    steps.push({ do: "write sysctl", purpose: "namespace", side: "container", name, value });
  }
  if (loopback === "up") {
    steps.push({ do: "set link", purpose: "namespace", side: "container", link: "lo", settings: { up: true } });
  }
  return steps;
}

/** What a pair depends on beside the attachment. */
export interface PairPlan {
  /** Parameters that a new link of this host has. */
  readonly fresh: LinkParameters;
  /** What the host's end has before it is set up, where it is no port of a bridge (ptp_plan.ts). */
  readonly hostSteps?: readonly NetworkStep[];
}

/** The pair: made down, hardened, then named and set up. */
export function planPair(
  { attachment, alias, bridge }: Attaching,
  { fresh, hostSteps = [] }: PairPlan,
): NetworkStep[] {
  const { hostLink: link, mtu } = attachment;
  const hardened = hardenedParameters(link);
  return [
    {
      do: "add veth",
      purpose: "pair",
      link,
      address: attachment.hostMac as Mac,
      mtu,
      master: bridge,
      peer: { link: CONTAINER_LINK, address: attachment.mac as Mac },
    },
    ...parameterSteps(hardened, freshParameters(link, fresh)),
    ...hostSteps,
    {
      do: "set link",
      purpose: "pair",
      side: "host",
      link,
      settings: { up: true, alias, ...(bridge === null ? {} : { hairpin: true }) },
    },
  ];
}

/** `fresh` holds the parameters of `default`, which a new link takes over, under the new link's name. */
function freshParameters(link: string, fresh: LinkParameters): LinkParameters {
  const named: Record<string, string | null> = {};
  for (const name in fresh) named[name.replace(".default.", `.${link}.`)] = fresh[name] as string | null;
  return named;
}

/** The container's side, once the pair exists; the address before the link is up, so that it is never up without. */
export function planAddress({ attachment, bridge }: Attaching): NetworkStep[] {
  const { ip, prefix, gateway, defaultRoute, hostLink } = attachment;
  const link = CONTAINER_LINK;
  const steps: NetworkStep[] = [
    { do: "add address", purpose: "address", side: "container", link, address: `${ip}/${prefix}` },
    { do: "set link", purpose: "address", side: "container", link, settings: { up: true } },
  ];
  if (bridge === null) {
    steps.push(
      { do: "add route", purpose: "route", side: "host", link: hostLink, to: `${ip}/32`, via: null },
      { do: "add route", purpose: "route", side: "container", link, to: `${gateway}/32`, via: null },
    );
  }
  if (defaultRoute) {
    steps.push({ do: "add route", purpose: "route", side: "container", link, to: "default", via: gateway });
  }
  return steps;
}
