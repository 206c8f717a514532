/** A container's pair, as it is and as it should be: the steps between. Pure. */
import type { Mac } from "../kernel/mac.ts";
import { type Attaching, CONTAINER_LINK } from "./attach_plan.ts";
import { hardenedParameters, type LinkParameters, parameterSteps } from "./parameter_plan.ts";
import type { LinkSettings, NetworkStep } from "./network_step.ts";
import type { AttachmentRecord } from "../store/containers.ts";

/** What was found of a pair whose both ends are there. */
export interface ObservedAttachment {
  readonly host: {
    readonly up: boolean;
    readonly alias: string;
    readonly address: string | undefined;
    readonly mtu: number;
    readonly inBridge: boolean;
    readonly hairpin: boolean;
    readonly addresses: readonly string[];
    /** ptp alone: whether the first address is the gateway's, as a start makes it. */
    readonly sound: boolean;
    readonly routes: readonly string[];
    readonly parameters: LinkParameters;
    /** Others that are not a new link's, with the values of one. */
    readonly altered: readonly (readonly [name: string, value: string])[];
  };
  readonly inside: {
    readonly up: boolean;
    readonly address: string | undefined;
    readonly mtu: number;
    /** In the kernel's order: an address before those of its network that it takes with it when it goes. */
    readonly addresses: readonly string[];
    /** Whether the first is the one a start gives, as it gives it, with all routes that it brings. */
    readonly sound: boolean;
    /** Destinations of routes to single addresses on the link. */
    readonly onLink: readonly string[];
    /** Gateways of the default routes over the link; null for one without. */
    readonly defaults: readonly (string | null)[];
  };
}

/** The steps that make the pair what a fresh start would have made. */
export function planRepair(attaching: Attaching, observed: ObservedAttachment): NetworkStep[] {
  return [...hostSteps(attaching, observed.host), ...insideSteps(attaching, observed.inside)];
}

function hostSteps({ attachment, alias, bridge }: Attaching, host: ObservedAttachment["host"]): NetworkStep[] {
  const { hostLink: link, hostMac, mtu } = attachment;
  const steps = parameterSteps(hardenedParameters(link), host.parameters);
  steps.push(...parameterSteps(host.altered, {}));
  if (bridge !== null && !host.inBridge) {
    steps.push({ do: "set link", purpose: "pair", side: "host", link, settings: { master: bridge } });
  }
  const settings: LinkSettings = {
    ...(host.up ? {} : { up: true }),
    ...(host.alias === alias ? {} : { alias }),
    ...(host.mtu === mtu ? {} : { mtu }),
    ...(host.address === hostMac ? {} : { address: hostMac as Mac }),
    ...(bridge === null || (host.inBridge && host.hairpin) ? {} : { hairpin: true }),
  };
  if (Object.keys(settings).length > 0) steps.push({ do: "set link", purpose: "pair", side: "host", link, settings });
  return [...steps, ...(bridge === null ? ptpSteps(attachment, host) : strangers(link, host.addresses))];
}

/** A port has no address; one that somebody gave it goes. */
function strangers(link: string, addresses: readonly string[]): NetworkStep[] {
  return addresses.toReversed().map((address) => ({
    do: "delete address",
    purpose: "address",
    side: "host",
    link,
    address,
  }));
}

function ptpSteps({ hostLink: link, gateway, ip }: AttachmentRecord, host: ObservedAttachment["host"]): NetworkStep[] {
  const own = `${gateway}/32`;
  const steps: NetworkStep[] = [];
  const forwarding = `net.ipv4.conf.${link}.forwarding`;
  if (host.parameters[forwarding] !== "1") {
    steps.push({ do: "write sysctl", purpose: "forward", side: "host", name: forwarding, value: "1" });
  }
  steps.push(...strangers(link, host.addresses.filter((address) => !host.sound || address !== own)));
  if (!host.sound) steps.push({ do: "add address", purpose: "address", side: "host", link, address: own });
  // A route over a link goes when it goes down.
  if (!host.up || !host.routes.includes(`${ip}/32`)) {
    steps.push({ do: "add route", purpose: "route", side: "host", link, to: `${ip}/32`, via: null });
  }
  return steps;
}

function insideSteps({ attachment, bridge }: Attaching, inside: ObservedAttachment["inside"]): NetworkStep[] {
  const { ip, prefix, gateway, mac, mtu, defaultRoute } = attachment;
  const link = CONTAINER_LINK;
  const wanted = `${ip}/${prefix}`;
  const steps: NetworkStep[] = [];
  const settings: LinkSettings = {
    ...(inside.up ? {} : { up: true }),
    ...(inside.mtu === mtu ? {} : { mtu }),
    ...(inside.address === mac ? {} : { address: mac as Mac }),
  };
  const { sound } = inside; // otherwise it is made anew, and with it its routes
  for (const address of inside.addresses.toReversed()) {
    if (sound && address === wanted) continue;
    steps.push({ do: "delete address", purpose: "address", side: "container", link, address });
  }
  if (!sound) steps.push({ do: "add address", purpose: "address", side: "container", link, address: wanted });
  if (Object.keys(settings).length > 0) {
    steps.push({ do: "set link", purpose: "address", side: "container", link, settings });
  }
  // Routes over a link go when it goes down, or when the address that they need does.
  const lost = !inside.up || !sound;
  if (bridge === null && (lost || !inside.onLink.includes(gateway))) {
    steps.push({ do: "add route", purpose: "route", side: "container", link, to: `${gateway}/32`, via: null });
  }
  return [...steps, ...defaultSteps({ gateway, wanted: defaultRoute, found: lost ? [] : inside.defaults })];
}

function defaultSteps(
  { gateway, wanted, found }: { gateway: string; wanted: boolean; found: readonly (string | null)[] },
): NetworkStep[] {
  const route = { purpose: "route", side: "container", link: CONTAINER_LINK, to: "default" } as const;
  const steps: NetworkStep[] = [];
  for (const via of found) if (!wanted || via !== gateway) steps.push({ do: "delete route", ...route, via });
  if (wanted && !found.includes(gateway)) steps.push({ do: "add route", ...route, via: gateway });
  return steps;
}
