/** IPv4 addresses and networks: numbers in the program, dotted text outside. Pure. */

declare const ipv4: unique symbol;

/** An IPv4 address as an unsigned number in host order: 0xac100001 is 172.16.0.1. */
export type Ipv4 = number & { readonly [ipv4]: true };

/** An address with its prefix length (0 to 32); host bits may be set. */
export interface Ipv4Network {
  readonly address: Ipv4;
  readonly prefix: number;
}

/** A number from 0 to 2^32 - 1 as an address. Throws a RangeError for others. */
export function ipv4FromNumber(value: number): Ipv4 {
  if (value !== value >>> 0) throw new RangeError(`${value} is not an IPv4 address`);
  return value as Ipv4; // the brand is given here, after the check, and nowhere else
}

/**
 * The address of dotted text: four decimal numbers without leading zeros (which inet_aton would read as octal).
 * Throws a RangeError for anything else.
 */
export function parseIpv4(text: string): Ipv4 {
  let address = 0;
  let octet = -1;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit === -2 && octet >= 0 && dots < 3) {
      address = address * 256 + octet;
      octet = -1;
      dots++;
    } else if (digit >= 0 && digit <= 9 && octet !== 0) {
      octet = octet < 0 ? digit : octet * 10 + digit;
      if (octet > 255) throw notIpv4(text);
    } else throw notIpv4(text);
  }
  if (dots !== 3 || octet < 0) throw notIpv4(text);
  return ipv4FromNumber(address * 256 + octet);
}

function notIpv4(text: string): RangeError {
  return new RangeError(`${JSON.stringify(text)} is not an IPv4 address`);
}

/** `172.16.0.1` */
export function formatIpv4(address: Ipv4): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** `172.16.0.1/16`. Throws a RangeError for text that is no address with a prefix length. */
export function parseIpv4Network(text: string): Ipv4Network {
  const slash = text.indexOf("/");
  const length = text.slice(slash + 1);
  const prefix = Number(length);
  if (slash < 0 || String(prefix) !== length || !(prefix >= 0 && prefix <= 32 && Number.isInteger(prefix))) {
    throw new RangeError(`${JSON.stringify(text)} is not an IPv4 network such as 172.16.0.0/16`);
  }
  return { address: parseIpv4(text.slice(0, slash)), prefix };
}

/** `172.16.0.1/16`, host bits as they are. */
export function formatIpv4Network({ address, prefix }: Ipv4Network): string {
  return `${formatIpv4(address)}/${prefix}`;
}

/** The mask of a prefix length: 16 gives 255.255.0.0. */
export function ipv4Mask(prefix: number): Ipv4 {
  // A shift by 32 is a shift by 0 (ECMA-262, 6.1.6.1.9).
  return ipv4FromNumber(prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0);
}

/** The network's first address: host bits cleared. */
export function firstAddress({ address, prefix }: Ipv4Network): Ipv4 {
  return ipv4FromNumber((address & ipv4Mask(prefix)) >>> 0);
}

/** The network's last address, which is its broadcast address where the prefix is at most 30. */
export function lastAddress({ address, prefix }: Ipv4Network): Ipv4 {
  return ipv4FromNumber((address | ~ipv4Mask(prefix)) >>> 0);
}

/** Whether an address lies in a network. */
export function contains(network: Ipv4Network, address: Ipv4): boolean {
  return ((network.address ^ address) & ipv4Mask(network.prefix)) === 0;
}

/** Whether two networks share an address. */
export function overlaps(one: Ipv4Network, other: Ipv4Network): boolean {
  return contains(one.prefix <= other.prefix ? one : other, one.prefix <= other.prefix ? other.address : one.address);
}
