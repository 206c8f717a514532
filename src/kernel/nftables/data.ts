/** nft_data: bytes or a verdict, in a nest of its own. Source: nf_tables.h (enum nft_data_attributes). */
import type { AttributeReader, AttributeWriter } from "../netlink/attributes.ts";
import { type Verdict, verdictCode, verdictOf } from "./verdict.ts";

const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;

export type Data = { readonly value: Uint8Array } | Verdict;

/** Writes bytes as the nft_data attribute `type`. */
export function writeValue(writer: AttributeWriter, type: number, value: Uint8Array): void {
  writer.nested(type, () => writer.bytesOf(NFTA_DATA_VALUE, value));
}

/** Writes bytes or a verdict as the nft_data attribute `type`. */
export function writeData(writer: AttributeWriter, type: number, data: Data): void {
  if ("value" in data) return writeValue(writer, type, data.value);
  writer.nested(type, () =>
    writer.nested(NFTA_DATA_VERDICT, () => {
      writer.be32(NFTA_VERDICT_CODE, verdictCode(data) >>> 0); // the negative codes, as 32 bits
      if ("chain" in data) writer.string(NFTA_VERDICT_CHAIN, data.chain);
    }));
}

/** The bytes in the current attribute, an nft_data; `undefined` for a verdict. */
export function readValue(reader: AttributeReader): Uint8Array | undefined {
  const data = readData(reader);
  return data && "value" in data ? data.value : undefined;
}

/** The bytes or the verdict in the current attribute, an nft_data; `undefined` for a verdict not in use here. */
export function readData(reader: AttributeReader): Data | undefined {
  return reader.nested(() => {
    let data: Data | undefined;
    while (reader.next()) {
      if (reader.type === NFTA_DATA_VALUE) data = { value: reader.bytes().slice() };
      else if (reader.type === NFTA_DATA_VERDICT) data = reader.nested(readVerdict);
    }
    return data;
  });
}

function readVerdict(reader: AttributeReader): Verdict | undefined {
  let code: number | undefined;
  let chain: string | undefined;
  while (reader.next()) {
    if (reader.type === NFTA_VERDICT_CODE) code = reader.be32("NFTA_VERDICT_CODE") | 0;
    else if (reader.type === NFTA_VERDICT_CHAIN) chain = reader.string("NFTA_VERDICT_CHAIN");
  }
  return code === undefined ? undefined : verdictOf(code, chain);
}
