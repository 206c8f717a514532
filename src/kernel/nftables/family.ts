/** Which packets a table sees. Source: include/uapi/linux/netfilter.h (NFPROTO_*). */

const FAMILIES = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 } as const;

export type FamilyName = keyof typeof FAMILIES;

/** The kernel's number of a family. */
export function familyNumber(family: FamilyName): number {
  return FAMILIES[family];
}

/** The family of a kernel number, or `undefined` for one that is not in use. */
export function familyName(number: number): FamilyName | undefined {
  for (const name in FAMILIES) {
    if (FAMILIES[name as FamilyName] === number) return name as FamilyName;
  }
  return undefined;
}
