/**
 * Which range of addresses the default bridge gets: the first candidate that no route of the host overlaps. Pure.
 *
 * 172.17–172.19 are left to docker. A route shorter than /2 (a VPN's 0/1 and 128/1, the default route) says nothing
 * about who uses an address, so it takes no range.
 */
import { type Ipv4Network, overlaps, parseIpv4Network } from "../kernel/ipv4.ts";

/** Routes shorter than this tell nothing about who uses an address. */
export const SHORTEST_TELLING_PREFIX = 2;

/** The candidates in the order they are tried. */
export function* rangeCandidates(): Generator<Ipv4Network> {
  yield parseIpv4Network("172.16.0.0/16");
  for (let second = 20; second <= 31; second++) yield parseIpv4Network(`172.${second}.0.0/16`);
  for (let second = 201; second <= 250; second++) yield parseIpv4Network(`10.${second}.0.0/16`);
  yield parseIpv4Network("192.168.128.0/17");
}

/** Where ptp pairs have their addresses; the host's end is the first of them on every pair. */
export function* ptpCandidates(): Generator<Ipv4Network> {
  for (let second = 251; second <= 254; second++) yield parseIpv4Network(`10.${second}.0.0/16`);
  yield parseIpv4Network("192.168.64.0/18");
}

/** The first candidate that none of the routes overlaps; `undefined` where all are taken. */
export function freeRange(
  candidates: Iterable<Ipv4Network>,
  routes: readonly Ipv4Network[],
): Ipv4Network | undefined {
  const telling = routes.filter(({ prefix }) => prefix >= SHORTEST_TELLING_PREFIX);
  for (const candidate of candidates) if (!telling.some((route) => overlaps(candidate, route))) return candidate;
  return undefined;
}
