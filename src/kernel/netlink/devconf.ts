/**
 * A link's IPv4 and IPv6 settings, as RTM_NEWLINK's IFLA_AF_SPEC tells them, under their sysctls' names
 * (net.ipv4.conf.LINK.NAME). IPv4's can be written the same way; IPv6's only through /proc/sys.
 * Source: include/uapi/linux/ip.h (IPV4_DEVCONF_*), ipv6.h (DEVCONF_*), net/ipv4/devinet.c.
 */
import { type AttributeTable, type AttributeValues, nested } from "./schema.ts";

/** IPV4_DEVCONF_*, counted from 1. */
export const IPV4_DEVCONF = {
  forwarding: [1, "u32"],
  proxy_arp: [3, "u32"],
  accept_redirects: [4, "u32"],
  secure_redirects: [5, "u32"],
  send_redirects: [6, "u32"],
  rp_filter: [8, "u32"],
  accept_source_route: [9, "u32"],
  arp_announce: [18, "u32"],
  arp_ignore: [19, "u32"],
  arp_accept: [21, "u32"],
  arp_notify: [22, "u32"],
  accept_local: [23, "u32"],
  route_localnet: [26, "u32"],
} as const satisfies AttributeTable;

/** DEVCONF_*, counted from 0. force_forwarding came with Linux 6.17. */
const IPV6_DEVCONF = {
  forwarding: 0,
  accept_ra: 3,
  accept_redirects: 4,
  autoconf: 5,
  disable_ipv6: 26,
  accept_dad: 27,
  force_forwarding: 59,
} as const;

/** Settings of net.ipv4.conf.LINK; absent where the kernel is too old to tell. */
export type Ipv4Settings = { readonly [Name in keyof typeof IPV4_DEVCONF]?: number };

/** Settings of net.ipv6.conf.LINK; absent where the kernel is too old to tell. */
export type Ipv6Settings = { readonly [Name in keyof typeof IPV6_DEVCONF]?: number };

/** IFLA_AF_SPEC as it is heard: arrays of all settings. */
export const AF_SPEC = {
  AF_INET: [2, nested({ IFLA_INET_CONF: [1, "u32s"] })],
  AF_INET6: [10, nested({ IFLA_INET6_CONF: [2, "u32s"], IFLA_INET6_ADDR_GEN_MODE: [8, "u8"] })],
} as const satisfies AttributeTable;

/** IFLA_AF_SPEC as it is said: an attribute for each setting. */
export const AF_SPEC_CHANGE = {
  AF_INET: [2, nested({ IFLA_INET_CONF: [1, nested(IPV4_DEVCONF)] })],
  AF_INET6: [10, nested({ IFLA_INET6_ADDR_GEN_MODE: [8, "u8"] })],
} as const satisfies AttributeTable;

/** The settings of IFLA_INET_CONF's array. */
export function ipv4Settings(spec: AttributeValues<typeof AF_SPEC> | undefined): Ipv4Settings | undefined {
  const conf = spec?.AF_INET?.IFLA_INET_CONF;
  if (conf === undefined) return undefined;
  const settings: Record<string, number> = {};
  for (const name in IPV4_DEVCONF) {
    const value = conf[IPV4_DEVCONF[name as keyof typeof IPV4_DEVCONF][0] - 1];
    if (value !== undefined) settings[name] = value | 0; // they are ints: -1 happens
  }
  return settings;
}

/** The settings of IFLA_INET6_CONF's array; `undefined` for a link without IPv6. */
export function ipv6Settings(spec: AttributeValues<typeof AF_SPEC> | undefined): Ipv6Settings | undefined {
  const conf = spec?.AF_INET6?.IFLA_INET6_CONF;
  if (conf === undefined) return undefined;
  const settings: Record<string, number> = {};
  for (const name in IPV6_DEVCONF) {
    const value = conf[IPV6_DEVCONF[name as keyof typeof IPV6_DEVCONF]];
    if (value !== undefined) settings[name] = value | 0; // they are ints: -1 happens
  }
  return settings;
}
