/**
 * Named sets and maps. Only their definition: what is in them are elements (element.ts).
 * Source: nf_tables.h (enum nft_set_attributes, nft_set_flags, nft_set_desc_attributes).
 */
import type { AttributeWriter } from "../netlink/attributes.ts";
import { type AttributeValues, writeAttributes } from "../netlink/schema.ts";
import type { FamilyName } from "./family.ts";
import { setCommentOf, setUserdata } from "./userdata.ts";
import { BYTEORDER, keyByteorder, keyFields, keyLength, keyTypeId, valueLength, type ValueType } from "./value_type.ts";

export interface SetDefinition {
  readonly family: FamilyName;
  readonly table: string;
  readonly name: string;
  /** The key's type; several are a concatenation (`ifname . ifname`). */
  readonly key: readonly ValueType[];
  /** Makes it a map to values of this type, `["verdict"]` to verdicts. */
  readonly data?: readonly ValueType[];
  /** Whether keys may be prefixes and ranges. */
  readonly interval?: boolean;
  readonly comment?: string;
}

const NFT_SET_INTERVAL = 4;
const NFT_SET_MAP = 8;
const NFT_SET_CONCAT = 0x80;
/** NFT_DATA_VERDICT: the type of a verdict map's data. */
const NFT_DATA_VERDICT = 0xffffff00;

const NFTA_SET_DESC = 9;
const NFTA_SET_DESC_CONCAT = 2;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_FIELD_LEN = 1;

export const SET_ATTRIBUTES = {
  NFTA_SET_TABLE: [1, "string"],
  NFTA_SET_NAME: [2, "string"],
  NFTA_SET_FLAGS: [3, "be32"],
  NFTA_SET_KEY_TYPE: [4, "be32"],
  NFTA_SET_KEY_LEN: [5, "be32"],
  NFTA_SET_DATA_TYPE: [6, "be32"],
  NFTA_SET_DATA_LEN: [7, "be32"],
  NFTA_SET_ID: [10, "be32"],
  NFTA_SET_USERDATA: [13, "bytes"],
} as const;

/** Writes what makes a set; `id` is a number of its own within the batch, which the kernel insists on. */
export function writeSet(writer: AttributeWriter, set: SetDefinition, id: number): void {
  const { key, data } = set;
  const verdicts = data?.[0] === "verdict";
  writeAttributes(writer, SET_ATTRIBUTES, {
    NFTA_SET_TABLE: set.table,
    NFTA_SET_NAME: set.name,
    NFTA_SET_FLAGS: setFlags(set),
    NFTA_SET_KEY_TYPE: keyTypeId(key),
    NFTA_SET_KEY_LEN: keyLength(key),
    NFTA_SET_DATA_TYPE: data && (verdicts ? NFT_DATA_VERDICT : keyTypeId(data)),
    NFTA_SET_DATA_LEN: data && (verdicts ? 0 : keyLength(data)),
    NFTA_SET_ID: id,
  });
  if (set.interval && key.length > 1) writeFieldLengths(writer, key);
  writeAttributes(writer, SET_ATTRIBUTES, {
    NFTA_SET_USERDATA: setUserdata({
      keyByteorder: keyByteorder(key),
      keyConcatenated: key.length > 1,
      ...(data
        ? { data: { byteorder: verdicts ? BYTEORDER.invalid : keyByteorder(data), concatenated: data.length > 1 } }
        : {}),
      comment: set.comment,
    }),
  });
}

function setFlags({ interval, key, data }: SetDefinition): number {
  const ranges = interval ? NFT_SET_INTERVAL | (key.length > 1 ? NFT_SET_CONCAT : 0) : 0;
  return ranges | (data ? NFT_SET_MAP : 0);
}

/** A concatenation with ranges is matched field by field: the kernel must know where each begins. */
function writeFieldLengths(writer: AttributeWriter, key: readonly ValueType[]): void {
  writer.nested(NFTA_SET_DESC, () =>
    writer.nested(NFTA_SET_DESC_CONCAT, () => {
      for (const field of key) {
        writer.nested(NFTA_LIST_ELEM, () => writer.be32(NFTA_SET_FIELD_LEN, valueLength(field)));
      }
    }));
}

/** Writes what names a set, to get or delete it. */
export function writeSetName(writer: AttributeWriter, set: Pick<SetDefinition, "table" | "name">): void {
  writeAttributes(writer, SET_ATTRIBUTES, { NFTA_SET_TABLE: set.table, NFTA_SET_NAME: set.name });
}

/** The set of an NFT_MSG_NEWSET; a type that is not known here is `bytes`. */
export function readSet(values: AttributeValues<typeof SET_ATTRIBUTES>, family: FamilyName): SetDefinition {
  const flags = values.NFTA_SET_FLAGS ?? 0;
  const dataType = values.NFTA_SET_DATA_TYPE ?? 0;
  const isVerdict = dataType === NFT_DATA_VERDICT;
  const comment = values.NFTA_SET_USERDATA && setCommentOf(values.NFTA_SET_USERDATA);
  return {
    family,
    table: values.NFTA_SET_TABLE ?? "",
    name: values.NFTA_SET_NAME ?? "",
    key: keyFields(values.NFTA_SET_KEY_TYPE ?? 0) ?? ["bytes"],
    ...(flags & NFT_SET_MAP ? { data: isVerdict ? ["verdict"] as const : keyFields(dataType) ?? ["bytes"] } : {}),
    ...(flags & NFT_SET_INTERVAL ? { interval: true } : {}),
    ...(comment === undefined ? {} : { comment }),
  };
}
