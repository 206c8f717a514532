/** A container's pair, as it is and as it should be: the steps between. Pure. */
import type { Mac } from "../kernel/mac.ts";
import { type Attaching, CONTAINER_LINK } from "./attach_plan.ts";
import { hardenedParameters, type LinkParameters, parameterSteps } from "./bridge_plan.ts";
import type { LinkSettings, NetworkStep } from "./network_step.ts";

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
    readonly routes: readonly string[];
    readonly parameters: LinkParameters;
  };
  readonly inside: {
    readonly up: boolean;
    readonly address: string | undefined;
    readonly mtu: number;
    /** In the kernel's order: an address before those of its network that it takes with it when it goes. */
    readonly addresses: readonly string[];
    /** Networks to which the kernel itself leads over the link, because of an address. */
    readonly connected: readonly string[];
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
  const { hostLink: link, hostMac, mtu, gateway, ip } = attachment;
  const steps = parameterSteps(hardenedParameters(link), host.parameters);
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
  if (bridge !== null) return steps;
  const forwarding = `net.ipv4.conf.${link}.forwarding`;
  if (host.parameters[forwarding] !== "1") {
    steps.push({ do: "write sysctl", purpose: "forward", side: "host", name: forwarding, value: "1" });
  }
  if (!host.addresses.includes(`${gateway}/32`)) {
    steps.push({ do: "add address", purpose: "address", side: "host", link, address: `${gateway}/32` });
  }
  if (!host.routes.includes(`${ip}/32`)) {
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
  // Behind another one it would go with that, and without the route that it brought it is of no use: made anew.
  const sound = inside.addresses[0] === wanted && (prefix === 32 || inside.connected.length > 0 || !inside.up);
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
