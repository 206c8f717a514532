/** What somebody has altered on a link of ours beside what a start sets: found by `net reset`, which sets it back. */
import { formatIp } from "../kernel/ip_address.ts";
import type { Link } from "../kernel/netlink/link.ts";
import { type AlteredLink, readAlterations } from "../kernel/netlink/link_details.ts";
import { listNeighbours } from "../kernel/netlink/neighbour.ts";
import type { NetlinkSocket } from "../kernel/netlink/socket.ts";
import { readSysctl } from "../host/sysctl.ts";
import type { LinkSettings } from "./network_step.ts";

/** Parameters (net.ipv4.conf) of a link that skdocker leaves as the host has them for a new link. */
const TAKEN_OVER = [
  "accept_local",
  "accept_source_route",
  "arp_accept",
  "arp_announce",
  "arp_ignore",
  "arp_notify",
  "proxy_arp",
  "route_localnet",
  "rp_filter",
  "secure_redirects",
] as const;

type Altered = readonly (readonly [name: string, value: string])[];

/** Of the bridge: what `ip link set` and `sysctl -w` must set back. */
export function readBridgeAlterations(
  socket: NetlinkSocket,
  link: Link,
): { settings: LinkSettings; parameters: Altered } {
  const altered = readAlterations(socket, link.index);
  const { flags, queueLength, group, options } = altered;
  const settings: LinkSettings = {
    ...(link.alias === "" ? {} : { alias: "" }),
    ...(Object.keys(flags).length === 0 ? {} : { flags }),
    ...(queueLength === undefined ? {} : { queueLength }),
    ...(group === undefined ? {} : { group }),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
  return { settings, parameters: alteredParameters(altered, link.name) };
}

function alteredParameters({ ipv4 }: AlteredLink, link: string): Altered {
  const altered: [string, string][] = [];
  for (const name of TAKEN_OVER) {
    const value = readSysctl(`net.ipv4.conf.default.${name}`);
    if (value !== null && ipv4[name] !== undefined && String(ipv4[name]) !== value) {
      altered.push([`net.ipv4.conf.${link}.${name}`, value]);
    }
  }
  return altered;
}

/** Of the host's end of a pair: whether it is best made anew, and the parameters to set back where it is not. */
export function readHostEndAlterations(
  socket: NetlinkSocket,
  { index, name, port, lowerUp }: Link,
): { beyondRepair: boolean; parameters: Altered } {
  const altered = readAlterations(socket, index);
  const disabled = port?.state === "disabled" && lowerUp; // by hand: the kernel itself does so only without carrier
  return {
    beyondRepair: isAltered(altered) || disabled || fixedNeighbours(socket, index).length > 0,
    parameters: alteredParameters(altered, name),
  };
}

/** Parameters that a container's eth0 takes over from its namespace (attach_plan.ts). */
const INSIDE = { forwarding: 0, route_localnet: 0, rp_filter: 0, arp_notify: 1 } as const;

/** The same of the container's end. `own`: the container was run with network parameters of its own. */
export function isContainerEndAltered(socket: NetlinkSocket, link: Link, { own }: { own: boolean }): boolean {
  const altered = readAlterations(socket, link.index);
  if (isAltered(altered) || link.alias !== "" || fixedNeighbours(socket, link.index).length > 0) return true;
  if (own) return false;
  const names = Object.keys(INSIDE) as (keyof typeof INSIDE)[];
  return names.some((name) => altered.ipv4[name] !== undefined && altered.ipv4[name] !== INSIDE[name]) ||
    link.ipv6?.disable_ipv6 === 0;
}

function isAltered({ flags, queueLength, group, port, queued }: AlteredLink): boolean {
  return Object.keys(flags).length > 0 || queueLength !== undefined || group !== undefined || port.length > 0 || queued;
}

/** Neighbours that somebody fixed on a link: packets to them go where they said. */
export function fixedNeighbours(socket: NetlinkSocket, link: number): string[] {
  return listNeighbours(socket, { link, family: "ipv4" }).filter(({ state }) => state === "permanent")
    .map(({ address }) => formatIp(address));
}
