/** Addresses of either family: a number is IPv4, a string IPv6. Pure. */
import { formatIpv4, type Ipv4, parseIpv4 } from "./ipv4.ts";
import { type Ipv6, parseIpv6 } from "./ipv6.ts";

export type IpAddress = Ipv4 | Ipv6;

/** An address with its prefix length (0 to 32, or to 128); host bits may be set. */
export interface IpNetwork {
  readonly address: IpAddress;
  readonly prefix: number;
}

// include/linux/socket.h
export const AF_INET = 2;
export const AF_INET6 = 10;

/** AF_INET or AF_INET6. */
export function familyOf(address: IpAddress): number {
  return typeof address === "number" ? AF_INET : AF_INET6;
}

/** The longest prefix of the address's family: 32 or 128. */
export function addressBits(address: IpAddress): number {
  return typeof address === "number" ? 32 : 128;
}

/** The address of text in either family. Throws a RangeError for text that is none. */
export function parseIp(text: string): IpAddress {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** `172.16.0.1`, `fe80::1` */
export function formatIp(address: IpAddress): string {
  return typeof address === "number" ? formatIpv4(address) : address;
}

/** `172.16.0.1/16`, host bits as they are. */
export function formatIpNetwork({ address, prefix }: IpNetwork): string {
  return `${formatIp(address)}/${prefix}`;
}
