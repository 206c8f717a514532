/** Ethernet addresses as text in one spelling. Pure. */

declare const mac: unique symbol;

/** An Ethernet address in lower case: `02:53:ac:10:00:02`. */
export type Mac = string & { readonly [mac]: true };

const OCTETS = 6;

/** The address of six octets in hexadecimal, separated by colons. Throws a RangeError for other text. */
export function parseMac(text: string): Mac {
  return formatMac(macBytes(text));
}

/** The address of six bytes. Throws a RangeError for another length. */
export function formatMac(bytes: Uint8Array): Mac {
  if (bytes.length !== OCTETS) throw new RangeError(`an Ethernet address has 6 bytes, not ${bytes.length}`);
  let text = "";
  for (let i = 0; i < OCTETS; i++) {
    const octet = bytes[i] as number;
    text += (i === 0 ? "" : ":") + (octet < 16 ? "0" : "") + octet.toString(16);
  }
  return text as Mac; // it was just made in that spelling
}

/** The six bytes of an address. Throws a RangeError for text that is none. */
export function macBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(OCTETS);
  for (let i = 0; i < OCTETS; i++) bytes[i] = parseInt(text.slice(3 * i, 3 * i + 2), 16);
  // parseInt takes what it can; text that is not exactly an address differs from what was taken.
  if (formatMac(bytes) !== text.toLowerCase()) {
    throw new RangeError(`${JSON.stringify(text)} is not an Ethernet address`);
  }
  return bytes;
}

/** Whether frames to this address go to one station: the group bit (IEEE 802, 8.2.2) is clear. */
export function isUnicastMac(address: Mac): boolean {
  return ((macBytes(address)[0] as number) & 1) === 0;
}
