/** payload: bytes of the packet, by header and offset. Source: nf_tables.h; RFC 791 and 9293 for the offsets. */
import type { ValueType } from "../value_type.ts";
import { declare } from "./declare.ts";

export const NFT_PAYLOAD_NETWORK_HEADER = 1;
export const NFT_PAYLOAD_TRANSPORT_HEADER = 2;

interface Field {
  readonly protocol: string;
  readonly text: string;
  readonly offset: number;
  readonly length: number;
  readonly type: ValueType;
}

/** Fields with a name. An address may be loaded short: only the bytes that a prefix covers. */
const NETWORK_FIELDS: readonly Field[] = [
  { protocol: "ipv4", text: "ip protocol", offset: 9, length: 1, type: "inet_proto" },
  { protocol: "ipv4", text: "ip saddr", offset: 12, length: 4, type: "ipv4_addr" },
  { protocol: "ipv4", text: "ip daddr", offset: 16, length: 4, type: "ipv4_addr" },
  { protocol: "ipv6", text: "ip6 saddr", offset: 8, length: 16, type: "ipv6_addr" },
  { protocol: "ipv6", text: "ip6 daddr", offset: 24, length: 16, type: "ipv6_addr" },
];
const TCP_FLAGS: Field = { protocol: "tcp", text: "tcp flags", offset: 13, length: 1, type: "tcp_flag" };

export const payload = declare("payload", {
  dreg: [1, "u32", "optional"], // NFTA_PAYLOAD_DREG; absent where bytes are written
  base: [2, "u32"], // NFTA_PAYLOAD_BASE
  offset: [3, "u32"], // NFTA_PAYLOAD_OFFSET
  len: [4, "u32"], // NFTA_PAYLOAD_LEN
}, (fields, rule) => {
  const { base, offset, len } = fields;
  if (fields.dreg === undefined) return rule.statement(`@${base},${offset * 8},${len * 8} set …`);
  const header = base === NFT_PAYLOAD_TRANSPORT_HEADER ? "transport" : "network";
  const protocol = base === NFT_PAYLOAD_NETWORK_HEADER || base === NFT_PAYLOAD_TRANSPORT_HEADER
    ? rule.protocolOf(header)
    : undefined;
  const field = base === NFT_PAYLOAD_TRANSPORT_HEADER ? portOrFlags(fields, protocol) : networkField(fields, protocol);
  rule.load(fields.dreg, field ?? { text: `@${base},${offset * 8},${len * 8}`, type: "bytes", length: len });
});

function networkField(at: { offset: number; len: number }, protocol: string | undefined): Field | undefined {
  for (const field of NETWORK_FIELDS) {
    const inside = field.offset === at.offset && at.len <= field.length;
    if (inside && (protocol === undefined ? field.protocol === "ipv4" : field.protocol === protocol)) {
      return { ...field, length: at.len };
    }
  }
  return undefined;
}

/** The ports lie at the same place in every transport protocol: `tcp dport`, `udp dport`, `th dport`. */
function portOrFlags(at: { offset: number; len: number }, protocol: string | undefined): Field | undefined {
  const { offset, len } = at;
  const name = protocol === "tcp" || protocol === "udp" || protocol === "sctp" ? protocol : "th";
  if (offset === TCP_FLAGS.offset && len === TCP_FLAGS.length && name === "tcp") return TCP_FLAGS;
  if (len !== 2 || (offset !== 0 && offset !== 2)) return undefined;
  const text = `${name} ${offset === 0 ? "sport" : "dport"}`;
  return { protocol: name, text, offset, length: 2, type: "inet_service" };
}
