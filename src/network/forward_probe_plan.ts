/**
 * What another tool's rules would do with a packet of ours, as far as that can be told from outside. Pure.
 *
 * Every match is true, false, or unknown (null): unknown is what depends on the packet (ports, limits) or is an
 * extension that is not known here. A rule with an unknown match decides nothing, so only what is certain to
 * accept counts as accepting.
 */
import type { Chain } from "../kernel/nftables/chain.ts";
import { NFT_CMP_EQ, NFT_CMP_NEQ } from "../kernel/nftables/expr/cmp.ts";
import { NFT_CT_STATE, NFT_CT_STATUS } from "../kernel/nftables/expr/ct.ts";
import { NFT_REG_VERDICT } from "../kernel/nftables/expr/immediate.ts";
import { NFT_LOOKUP_F_INV } from "../kernel/nftables/expr/lookup.ts";
import { NFT_META_IIFNAME, NFT_META_NFPROTO, NFT_META_OIFNAME } from "../kernel/nftables/expr/meta.ts";
import { NFT_PAYLOAD_NETWORK_HEADER } from "../kernel/nftables/expr/payload.ts";
import { registerSlot } from "../kernel/nftables/expr/rule_text.ts";
import { type Expression, expressionsText } from "../kernel/nftables/expression.ts";
import { familyNumber } from "../kernel/nftables/family.ts";
import type { ForwardTable } from "../kernel/nftables/forward_rules.ts";
import type { DumpedRule } from "../kernel/nftables/rule.ts";
import { keyLength, parseValue } from "../kernel/nftables/value_type.ts";
import type { Verdict } from "../kernel/nftables/verdict.ts";

/** The packet that is thought through the rules. */
export interface Probe {
  /** Absent: some other link than ours, which one is not known. */
  readonly iifname?: string;
  readonly oifname?: string;
  readonly state: "new" | "established";
  /** Known IPv4 addresses of the packet. */
  readonly source?: string;
  readonly destination?: string;
}

/** What becomes of the packet in one base chain. */
export type Outcome = { readonly drops: false } | { readonly drops: true; readonly reason: string };

const PASSES: Outcome = { drops: false };

/** iptables cannot nest deeper than this; nft(8) refuses deeper nesting, too (NFT_JUMP_STACK_SIZE). */
const MAX_DEPTH = 16;

/** Expressions that neither match nor decide. */
const NEUTRAL: readonly string[] = ["counter", "log", "notrack", "last", "dynset", "flow_offload", "objref"];
/** Extensions of xtables that neither match nor decide. */
const NEUTRAL_XT: readonly string[] = ["comment", "LOG", "NFLOG", "TCPMSS", "MARK", "CONNMARK", "CT", "TRACE"];

/** Thinks a packet through a base chain and all it jumps to. */
export function probeChain(table: ForwardTable, chain: Chain, probe: Probe): Outcome {
  const ended = walk({ table, probe, depth: 0 }, chain.name);
  if (ended) return ended;
  return chain.base?.policy === "drop" ? { drops: true, reason: "by its policy" } : PASSES;
}

interface Walk {
  readonly table: ForwardTable;
  readonly probe: Probe;
  readonly depth: number;
}

/** The outcome of a chain, or `undefined` where it comes back to its caller. */
function walk(at: Walk, chain: string): Outcome | undefined {
  if (at.depth > MAX_DEPTH) return undefined;
  for (const rule of at.table.rules) {
    if (rule.chain !== chain) continue;
    const verdict = evaluate(at, rule);
    if (verdict === undefined || verdict.verdict === "continue") continue;
    if (verdict.verdict === "accept") return PASSES;
    if (verdict.verdict === "return") return undefined;
    if (verdict.verdict === "drop") {
      return { drops: true, reason: `by its rule "${expressionsText(rule.expressions, rule.family)}"` };
    }
    if (!("chain" in verdict)) continue;
    const outcome = walk({ ...at, depth: at.depth + 1 }, verdict.chain);
    if (outcome || verdict.verdict === "goto") return outcome;
  }
  return undefined;
}

/** A register's bytes; `other` is the name of a link that is not ours. */
type Value = Uint8Array | "other" | undefined;

/** The certain verdict of a rule for this packet. */
function evaluate({ table, probe }: Walk, rule: DumpedRule): Verdict | undefined {
  const registers = new Map<number, Value>();
  const at: Seen = { table, probe, read: (register) => registers.get(registerSlot(register)) };
  for (const expression of rule.expressions) {
    const loaded = load(expression, at);
    if (loaded) {
      registers.set(registerSlot(loaded.register), loaded.value);
      continue;
    }
    if (expression.expr === "immediate") {
      if (expression.dreg === NFT_REG_VERDICT && "verdict" in expression.data) return expression.data;
      continue;
    }
    if (expression.expr === "reject") return { verdict: "drop" };
    if (expression.expr === "target") {
      if (expression.name === "REJECT") return { verdict: "drop" };
      if (NEUTRAL_XT.includes(expression.name)) continue;
      return undefined;
    }
    if (expression.expr === "lookup" && expression.dreg !== undefined) return mapped(at, expression);
    if (matches(at, expression) !== true) return undefined;
  }
  return undefined;
}

/** What a rule is held against. */
interface Seen {
  readonly table: ForwardTable;
  readonly probe: Probe;
  readonly read: (register: number) => Value;
}

function load(expression: Expression, { probe, read }: Seen): { register: number; value: Value } | undefined {
  switch (expression.expr) {
    case "meta":
      if (expression.dreg === undefined) return undefined;
      return { register: expression.dreg, value: metaValue(expression.key, probe) };
    case "ct":
      if (expression.dreg === undefined) return undefined;
      return { register: expression.dreg, value: ctValue(expression.key, probe) };
    case "payload":
      if (expression.dreg === undefined) return undefined;
      return { register: expression.dreg, value: payloadValue(expression, probe) };
    case "bitwise":
      return { register: expression.dreg, value: masked(read(expression.sreg), expression) };
    case "byteorder":
    case "rt":
    case "fib":
      return { register: expression.dreg, value: undefined };
    default:
      return undefined;
  }
}

function metaValue(key: number, probe: Probe): Value {
  if (key === NFT_META_NFPROTO) return Uint8Array.of(familyNumber("ip"));
  if (key !== NFT_META_IIFNAME && key !== NFT_META_OIFNAME) return undefined;
  const name = key === NFT_META_IIFNAME ? probe.iifname : probe.oifname;
  return name === undefined ? "other" : parseValue("ifname", name);
}

function ctValue(key: number, { state }: Probe): Value {
  if (key === NFT_CT_STATE) return parseValue("ct_state", state);
  // Of a connection of ours nothing but the source is translated, and by a later hook.
  return key === NFT_CT_STATUS ? new Uint8Array(4) : undefined;
}

/** RFC 791: where the addresses lie. */
const SOURCE_OFFSET = 12;
const DESTINATION_OFFSET = 16;

function payloadValue({ base, offset, len }: { base: number; offset: number; len: number }, probe: Probe): Value {
  if (base !== NFT_PAYLOAD_NETWORK_HEADER || len > 4) return undefined;
  const address = offset === SOURCE_OFFSET
    ? probe.source
    : offset === DESTINATION_OFFSET
    ? probe.destination
    : undefined;
  return address === undefined ? undefined : parseValue("ipv4_addr", address).subarray(0, len);
}

function masked(value: Value, { mask, xor }: { mask?: Uint8Array; xor?: Uint8Array }): Value {
  if (!(value instanceof Uint8Array) || !mask) return undefined;
  return value.map((byte, index) => (byte & (mask[index] ?? 0)) ^ (xor?.[index] ?? 0));
}

function matches(at: Seen, expression: Expression): boolean | null {
  switch (expression.expr) {
    case "cmp":
      return compare(at, expression);
    case "lookup": {
      const found = findElement(at, expression);
      if (found === null) return null;
      return (found !== undefined) !== (expression.flags === NFT_LOOKUP_F_INV);
    }
    case "match":
      if (expression.name === "conntrack") return xtConntrack(expression.info, at.probe);
      return NEUTRAL_XT.includes(expression.name) ? true : null;
    case "unknown":
      return NEUTRAL.includes(expression.name) ? true : null;
    default:
      return NEUTRAL.includes(expression.expr) ? true : null;
  }
}

function compare(
  { read, probe }: Seen,
  { sreg, op, data }: { sreg: number; op: number; data: Uint8Array },
): boolean | null {
  const value = read(sreg);
  if (value === undefined || (op !== NFT_CMP_EQ && op !== NFT_CMP_NEQ)) return null;
  if (value === "other") {
    // It is not ours: that much is known. A prefix ("veth*") could still be anyone's.
    const ours = parseValue("ifname", probe.iifname ?? probe.oifname ?? "?");
    if (data.length < ours.length && data.at(-1) !== 0) return null;
    return startsWith(ours, data) ? op === NFT_CMP_NEQ : null;
  }
  return startsWith(value, data) === (op === NFT_CMP_EQ);
}

function startsWith(value: Uint8Array, data: Uint8Array): boolean {
  return data.every((byte, index) => byte === (value[index] ?? 0));
}

/** The element of a set for what the registers hold, `null` where that cannot be told. */
function findElement({ table, read }: Seen, lookup: { set: string; sreg: number }) {
  const set = table.sets.find(({ definition }) => definition.name === lookup.set);
  const value = read(lookup.sreg);
  if (!set || set.definition.interval || set.definition.key.length > 1 || !(value instanceof Uint8Array)) return null;
  const length = keyLength(set.definition.key) || value.length;
  return set.elements.find(({ rawKey }) => rawKey.length >= length && startsWith(value, rawKey.subarray(0, length)));
}

function mapped(at: Seen, lookup: { set: string; sreg: number }): Verdict | undefined {
  const data = findElement(at, lookup)?.data;
  return data && "verdict" in data ? data : undefined;
}

/** linux/netfilter/xt_conntrack.h (struct xt_conntrack_mtinfo3): where what is asked about the state lies. */
const XT_CONNTRACK = { flags: 146, inverted: 148, states: 150 } as const;
const XT_CONNTRACK_STATE = 1;
/** XT_CONNTRACK_STATE_BIT of IP_CT_ESTABLISHED and IP_CT_NEW. */
const XT_STATES = { established: 2, new: 8 } as const;

/** `-m conntrack --ctstate`; with anything else asked as well, nothing can be told. */
function xtConntrack(info: Uint8Array, { state }: Probe): boolean | null {
  const word = (offset: number) => (info[offset] ?? 0) | ((info[offset + 1] ?? 0) << 8);
  if (word(XT_CONNTRACK.flags) !== XT_CONNTRACK_STATE) return null;
  const inside = (word(XT_CONNTRACK.states) & XT_STATES[state]) !== 0;
  return inside !== ((word(XT_CONNTRACK.inverted) & XT_CONNTRACK_STATE) !== 0);
}
