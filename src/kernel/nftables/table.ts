/** Tables: what a rule set belongs to. Source: nf_tables.h (enum nft_table_attributes). */
import type { AttributeWriter } from "../netlink/attributes.ts";
import { type AttributeValues, writeAttributes } from "../netlink/schema.ts";
import type { FamilyName } from "./family.ts";
import { commentOf, commentUserdata } from "./userdata.ts";

export interface Table {
  readonly family: FamilyName;
  readonly name: string;
  readonly comment?: string;
}

/** A table as the kernel tells it. */
export interface DumpedTable extends Table {
  /** NFT_TABLE_F_DORMANT: its chains are at no hook. */
  readonly dormant: boolean;
  /** How many chains, sets, stateful objects and flow tables are in it. */
  readonly objects: number;
}

const NFT_TABLE_F_DORMANT = 1;

export const TABLE_ATTRIBUTES = {
  NFTA_TABLE_NAME: [1, "string"],
  NFTA_TABLE_FLAGS: [2, "be32"],
  NFTA_TABLE_USE: [3, "be32"],
  NFTA_TABLE_USERDATA: [6, "bytes"],
} as const;

/** Writes what makes a table. */
export function writeTable(writer: AttributeWriter, table: Table): void {
  writeAttributes(writer, TABLE_ATTRIBUTES, {
    NFTA_TABLE_NAME: table.name,
    NFTA_TABLE_FLAGS: 0,
    NFTA_TABLE_USERDATA: table.comment === undefined ? undefined : commentUserdata(table.comment),
  });
}

/** Writes what names a table, to get or delete it. */
export function writeTableName(writer: AttributeWriter, table: Table): void {
  writeAttributes(writer, TABLE_ATTRIBUTES, { NFTA_TABLE_NAME: table.name });
}

/** The table of an NFT_MSG_NEWTABLE. */
export function readTable(values: AttributeValues<typeof TABLE_ATTRIBUTES>, family: FamilyName): DumpedTable {
  const { NFTA_TABLE_NAME: name = "", NFTA_TABLE_USERDATA: userdata } = values;
  const comment = userdata && commentOf(userdata);
  return {
    family,
    name,
    ...(comment === undefined ? {} : { comment }),
    dormant: ((values.NFTA_TABLE_FLAGS ?? 0) & NFT_TABLE_F_DORMANT) !== 0,
    objects: values.NFTA_TABLE_USE ?? 0,
  };
}
