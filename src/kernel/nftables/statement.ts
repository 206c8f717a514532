/** Statements of rules, as nft(8) compiles them to expressions. All of them are pure data. */
import { NFT_BITWISE_BOOL } from "./expr/bitwise.ts";
import { NFT_CMP_EQ, NFT_CMP_NEQ } from "./expr/cmp.ts";
import { NFT_CT_STATE, NFT_CT_STATUS } from "./expr/ct.ts";
import { NFT_EXTHDR_OP_TCPOPT, TCPOPT_MAXSEG } from "./expr/exthdr.ts";
import { NFT_FIB_RESULT_OIF, NFTA_FIB_F_IIF, NFTA_FIB_F_PRESENT, NFTA_FIB_F_SADDR } from "./expr/fib.ts";
import { NFT_BYTEORDER_HTON } from "./expr/byteorder.ts";
import { NFT_REG_VERDICT } from "./expr/immediate.ts";
import { NFT_LOOKUP_F_INV } from "./expr/lookup.ts";
import { NFT_META_IIFNAME, NFT_META_L4PROTO, NFT_META_OIFNAME } from "./expr/meta.ts";
import { NF_NAT_RANGE_PROTO_SPECIFIED, NFT_NAT_DNAT } from "./expr/nat.ts";
import { NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER } from "./expr/payload.ts";
import { NFT_RT_TCPMSS } from "./expr/rt.ts";
import { registerAfter } from "./expr/rule_text.ts";
import type { Expression } from "./expression.ts";
import { familyNumber } from "./family.ts";
import type { Ipv4Network } from "../ipv4.ts";
import { parseValue, valueLength, type ValueType } from "./value_type.ts";
import type { Verdict } from "./verdict.ts";

const NFT_REG_1 = 1;
const NFT_REG_2 = 2;

/** A link a packet came in by or goes out by. */
export type LinkField = "iifname" | "oifname";

function loadLink(field: LinkField, dreg: number): Expression {
  return { expr: "meta", key: field === "iifname" ? NFT_META_IIFNAME : NFT_META_OIFNAME, dreg };
}

/** `iifname "eth0"`. Throws a RangeError for text that is no interface name. */
export function linkIs(field: LinkField, name: string): Expression[] {
  return [loadLink(field, NFT_REG_1), equal(parseValue("ifname", name))];
}

/** `iifname "veth*"`, in iptables' words `-i veth+`. */
export function linkBegins(field: LinkField, prefix: string): Expression[] {
  return [loadLink(field, NFT_REG_1), equal(new TextEncoder().encode(prefix))];
}

/** `ip saddr 10.251.0.0/16`, in a table of family `ip`. */
export function addressIn(field: "saddr" | "daddr", network: Ipv4Network): Expression[] {
  const mask = network.prefix === 0 ? 0 : -1 << (32 - network.prefix);
  const bytes = (word: number) => Uint8Array.of(word >>> 24, word >>> 16, word >>> 8, word);
  const offset = field === "saddr" ? 12 : 16; // RFC 791
  return [
    { expr: "payload", dreg: NFT_REG_1, base: NFT_PAYLOAD_NETWORK_HEADER, offset, len: 4 },
    {
      ...{ expr: "bitwise", sreg: NFT_REG_1, dreg: NFT_REG_1, op: NFT_BITWISE_BOOL, len: 4 },
      ...{ mask: bytes(mask), xor: new Uint8Array(4) },
    },
    equal(bytes(network.address & mask)),
  ];
}

/** `iifname @set`, `oifname != @set`, `iifname . oifname @set`. */
export function linkIn(fields: readonly LinkField[], set: string, options: { not?: boolean } = {}): Expression[] {
  const expressions: Expression[] = [];
  let register = NFT_REG_1;
  for (const field of fields) {
    expressions.push(loadLink(field, register));
    register = registerAfter(register, valueLength("ifname"));
  }
  expressions.push({
    expr: "lookup",
    sreg: NFT_REG_1,
    set,
    ...(options.not ? { flags: NFT_LOOKUP_F_INV } : {}),
  });
  return expressions;
}

/** `ct state established,related`: one of these states. */
export function ctState(states: string): Expression[] {
  return ctBits({ key: NFT_CT_STATE, type: "ct_state", bits: states });
}

/** `ct status dnat`: one of these bits of the connection's status. */
export function ctStatus(bits: string): Expression[] {
  return ctBits({ key: NFT_CT_STATUS, type: "ct_status", bits });
}

function ctBits({ key, type, bits }: { key: number; type: ValueType; bits: string }): Expression[] {
  const zero = new Uint8Array(4);
  return [
    { expr: "ct", key, dreg: NFT_REG_1 },
    { expr: "bitwise", sreg: NFT_REG_1, dreg: NFT_REG_1, len: 4, mask: parseValue(type, bits), xor: zero },
    { expr: "cmp", sreg: NFT_REG_1, op: NFT_CMP_NEQ, data: zero },
  ];
}

/** `meta l4proto tcp`, which nft(8) puts before a match on a port by itself. */
export function transportIs(protocol: "tcp" | "udp" | "icmp"): Expression[] {
  return [{ expr: "meta", key: NFT_META_L4PROTO, dreg: NFT_REG_1 }, equal(parseValue("inet_proto", protocol))];
}

/** `udp dport 53`. */
export function portIs(protocol: "tcp" | "udp", port: number): Expression[] {
  return [
    ...transportIs(protocol),
    { expr: "payload", dreg: NFT_REG_1, base: NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, len: 2 },
    equal(parseValue("inet_service", String(port))),
  ];
}

/** `ip daddr 127.0.0.11`, in a table of family `ip`. */
export function destinationIs(address: string): Expression[] {
  return [
    { expr: "payload", dreg: NFT_REG_1, base: NFT_PAYLOAD_NETWORK_HEADER, offset: 16, len: 4 },
    equal(parseValue("ipv4_addr", address)),
  ];
}

/** `tcp flags & (syn | rst) == syn`: the first packet of either side. */
export function tcpSyn(): Expression[] {
  return [
    ...transportIs("tcp"),
    { expr: "payload", dreg: NFT_REG_1, base: NFT_PAYLOAD_TRANSPORT_HEADER, offset: 13, len: 1 },
    {
      expr: "bitwise",
      sreg: NFT_REG_1,
      dreg: NFT_REG_1,
      op: NFT_BITWISE_BOOL,
      len: 1,
      mask: parseValue("tcp_flag", "syn|rst"),
      xor: new Uint8Array(1),
    },
    equal(parseValue("tcp_flag", "syn")),
  ];
}

/** `tcp option maxseg size set rt mtu`: announces no larger segments than the path takes. */
export function clampSegments(): Expression[] {
  return [
    { expr: "rt", key: NFT_RT_TCPMSS, dreg: NFT_REG_1 },
    { expr: "byteorder", sreg: NFT_REG_1, dreg: NFT_REG_1, op: NFT_BYTEORDER_HTON, len: 2, size: 2 },
    { expr: "exthdr", sreg: NFT_REG_1, op: NFT_EXTHDR_OP_TCPOPT, ...TCPOPT_MAXSEG },
  ];
}

/** `fib saddr . iif oif missing`: the answer would not leave by the link the packet came in by. */
export function noRouteBack(): Expression[] {
  const flags = NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT;
  return [
    { expr: "fib", flags, result: NFT_FIB_RESULT_OIF, dreg: NFT_REG_1 },
    equal(parseValue("boolean", "missing")),
  ];
}

/** A rule's verdict. */
export function verdict(to: Verdict): Expression[] {
  return [{ expr: "immediate", dreg: NFT_REG_VERDICT, data: to }];
}

/** `dnat to ADDRESS:PORT`, IPv4, in a nat chain. */
export function dnatTo(address: string, port: number): Expression[] {
  return [
    { expr: "immediate", dreg: NFT_REG_1, data: { value: parseValue("ipv4_addr", address) } },
    { expr: "immediate", dreg: NFT_REG_2, data: { value: parseValue("inet_service", String(port)) } },
    {
      expr: "nat",
      type: NFT_NAT_DNAT,
      family: familyNumber("ip"),
      addrMin: NFT_REG_1,
      portMin: NFT_REG_2,
      flags: NF_NAT_RANGE_PROTO_SPECIFIED,
    },
  ];
}

function equal(data: Uint8Array): Expression {
  return { expr: "cmp", sreg: NFT_REG_1, op: NFT_CMP_EQ, data };
}
