/** Whether a word is an address. (node:net has the same, and costs 1.5 ms to load.) */

/** Dotted IPv4, four decimal numbers without leading zeros. */
export function isIpv4(text: string): boolean {
  return /^(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}$/.test(text);
}

/** IPv4, or IPv6 in any of its spellings (RFC 4291, 2.2) without a zone. */
export function isIpAddress(text: string): boolean {
  if (isIpv4(text)) return true;
  // The URL standard's host parser reads IPv6 in brackets, and is built into the engine.
  return /^[0-9a-fA-F:.]+$/.test(text) && text.includes(":") && URL.canParse(`http://[${text}]/`);
}
