/**
 * User data: bytes that the kernel keeps for user space. nft(8) and iptables-nft have agreed on a list of
 * (type, length, value), one byte each for type and length. Source: libnftnl's include/libnftnl/udata.h.
 */

// enum nftnl_udata_table_types, _rule_types, _set_elem_types: a comment is 0 in all of them.
const NFTNL_UDATA_COMMENT = 0;

// enum nftnl_udata_set_types
const NFTNL_UDATA_SET_KEYBYTEORDER = 0;
const NFTNL_UDATA_SET_DATABYTEORDER = 1;
const NFTNL_UDATA_SET_KEY_TYPEOF = 3;
const NFTNL_UDATA_SET_DATA_TYPEOF = 4;
const NFTNL_UDATA_SET_DATA_INTERVAL = 6;
const NFTNL_UDATA_SET_COMMENT = 7;

/** nft's own description of a concatenation: (NFTNL_UDATA_SET_TYPEOF_EXPR = 0: EXPR_CONCAT; _DATA = 1: empty). */
const TYPEOF_CONCATENATION = Uint8Array.of(0, 4, 13, 0, 0, 0, 1, 0);

/** Bytes of a comment, its NUL included, that nft(8) takes. */
const COMMENT_BYTES = 128;

/** The comment of a table, a chain, a rule or an element. Throws a RangeError where it is too long. */
export function commentUserdata(comment: string): Uint8Array {
  return concatenate([entry(NFTNL_UDATA_COMMENT, commentBytes(comment))]);
}

/** What nft(8) notes of a set, so that it can list it as it was written. */
export interface SetNotes {
  readonly keyByteorder: number;
  readonly keyConcatenated: boolean;
  /** Absent for a set without data. */
  readonly data?: { readonly byteorder: number; readonly concatenated: boolean };
  readonly comment?: string | undefined;
}

/** The notes as nft(8) 1.0 stores them. */
export function setUserdata({ keyByteorder, keyConcatenated, data, comment }: SetNotes): Uint8Array {
  const entries = [entry(NFTNL_UDATA_SET_KEYBYTEORDER, word(keyByteorder))];
  if (data) entries.push(entry(NFTNL_UDATA_SET_DATABYTEORDER, word(data.byteorder)));
  if (keyConcatenated) entries.push(entry(NFTNL_UDATA_SET_KEY_TYPEOF, TYPEOF_CONCATENATION));
  if (data?.concatenated) entries.push(entry(NFTNL_UDATA_SET_DATA_TYPEOF, TYPEOF_CONCATENATION));
  if (data) entries.push(entry(NFTNL_UDATA_SET_DATA_INTERVAL, word(0)));
  if (comment !== undefined) entries.push(entry(NFTNL_UDATA_SET_COMMENT, commentBytes(comment)));
  return concatenate(entries);
}

/** The comment in the user data of a table, a rule or an element, if there is one. */
export function commentOf(userdata: Uint8Array): string | undefined {
  return findComment(userdata, NFTNL_UDATA_COMMENT);
}

/** The comment in the user data of a set, if there is one. */
export function setCommentOf(userdata: Uint8Array): string | undefined {
  return findComment(userdata, NFTNL_UDATA_SET_COMMENT);
}

function findComment(userdata: Uint8Array, type: number): string | undefined {
  for (let at = 0; at + 2 <= userdata.length;) {
    const length = userdata[at + 1] as number;
    const value = userdata.subarray(at + 2, at + 2 + length);
    // Other tools' user data may be anything: what does not hold together is no comment.
    if (value.length !== length) return undefined;
    if (userdata[at] === type) {
      return value.at(-1) === 0 ? new TextDecoder().decode(value.subarray(0, -1)) : undefined;
    }
    at += 2 + length;
  }
  return undefined;
}

function commentBytes(comment: string): Uint8Array {
  const bytes = new TextEncoder().encode(comment + "\0");
  if (bytes.length > COMMENT_BYTES || comment.includes("\0") || comment.includes('"')) {
    throw new RangeError(`${JSON.stringify(comment)} cannot be a comment: 127 bytes at most, without quotes`);
  }
  return bytes;
}

function word(value: number): Uint8Array {
  return Uint8Array.of(value, 0, 0, 0);
}

function entry(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + value.length);
  bytes.set([type, value.length]);
  bytes.set(value, 2);
  return bytes;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
