/** IPv6 addresses as text in one spelling, so that equal addresses are equal strings. Pure. */

declare const ipv6: unique symbol;

/** An IPv6 address in the spelling of RFC 5952: `fe80::1`. */
export type Ipv6 = string & { readonly [ipv6]: true };

const GROUPS = 8;

/** The spelling of 16 bytes. Throws a RangeError for another length. */
export function formatIpv6(bytes: Uint8Array): Ipv6 {
  if (bytes.length !== 2 * GROUPS) throw new RangeError(`an IPv6 address has 16 bytes, not ${bytes.length}`);
  const groups: number[] = [];
  for (let i = 0; i < bytes.length; i += 2) groups.push(((bytes[i] as number) << 8) | (bytes[i + 1] as number));
  const { start, length } = longestZeros(groups);
  let text = "";
  for (let i = 0; i < GROUPS; i++) {
    if (i === start) {
      text += "::";
      i += length - 1;
    } else text += (text === "" || text.endsWith(":") ? "" : ":") + (groups[i] as number).toString(16);
  }
  return text as Ipv6; // the one place that gives the brand: the text was just made in that spelling
}

/** The first of the longest runs of at least two zero groups (RFC 5952, 4.2); length 0 for none. */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: -1, length: 1 };
  for (let i = 0; i < GROUPS; i++) {
    let end = i;
    while (end < GROUPS && groups[end] === 0) end++;
    if (end - i > best.length) best = { start: i, length: end - i };
    if (end > i) i = end;
  }
  return best;
}

/** The 16 bytes of an address in any spelling without a zone (RFC 4291, 2.2). Throws a RangeError for others. */
export function ipv6Bytes(text: string): Uint8Array<ArrayBuffer> {
  const refused = new RangeError(`${JSON.stringify(text)} is not an IPv6 address`);
  const halves = text.split("::");
  if (halves.length > 2) throw refused;
  const head = groupBytes(halves[0] as string, { dotted: halves.length === 1 });
  const tail = groupBytes(halves[1] ?? "", { dotted: true });
  if (!head || !tail) throw refused;
  const given = head.length + tail.length;
  if (halves.length === 2 ? given > 14 : given !== 16) throw refused;
  const bytes = new Uint8Array(16);
  bytes.set(head);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** Bytes of groups between colons, the last of which may be `dotted`; `undefined` where one is neither. */
function groupBytes(text: string, { dotted }: { dotted: boolean }): number[] | undefined {
  const bytes: number[] = [];
  if (text === "") return bytes;
  const groups = text.split(":");
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i] as string;
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 255);
    } else if (dotted && i === groups.length - 1 && /^\d{1,3}(\.\d{1,3}){3}$/.test(group)) {
      const octets = group.split(".").map(Number);
      if (octets.some((octet) => octet > 255)) return undefined;
      bytes.push(...octets);
    } else return undefined;
  }
  return bytes;
}

/** Any spelling as the one of RFC 5952. Throws a RangeError for text that is no address. */
export function parseIpv6(text: string): Ipv6 {
  return formatIpv6(ipv6Bytes(text));
}
