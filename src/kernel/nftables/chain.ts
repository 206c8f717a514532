/**
 * Chains: lists of rules; a base chain is called by the kernel at a hook.
 * Source: nf_tables.h (enum nft_chain_attributes, nft_hook_attributes).
 */
import type { AttributeWriter } from "../netlink/attributes.ts";
import { type AttributeValues, nested, writeAttributes } from "../netlink/schema.ts";
import type { FamilyName } from "./family.ts";
import { type PlainVerdict, verdictCode } from "./verdict.ts";

/** Where in a packet's way a base chain stands. Source: linux/netfilter.h (enum nf_inet_hooks). */
const HOOKS = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;

export type HookName = keyof typeof HOOKS;

/** What makes a chain a base chain. */
export interface BaseChain {
  readonly type: "filter" | "nat" | "route";
  readonly hook: HookName;
  /** Lower comes first; nft's names (raw -300, filter 0, srcnat 100) are numbers here. */
  readonly priority: number;
  /** Absent: the kernel's default when the chain is made (accept), no change to one that exists. */
  readonly policy?: Extract<PlainVerdict, "accept" | "drop">;
}

export interface Chain {
  readonly family: FamilyName;
  readonly table: string;
  readonly name: string;
  readonly base?: BaseChain;
}

export const CHAIN_ATTRIBUTES = {
  NFTA_CHAIN_TABLE: [1, "string"],
  NFTA_CHAIN_NAME: [3, "string"],
  NFTA_CHAIN_TYPE: [7, "string"],
  NFTA_CHAIN_POLICY: [5, "be32"],
  NFTA_CHAIN_HOOK: [
    4,
    nested({
      NFTA_HOOK_HOOKNUM: [1, "be32"],
      NFTA_HOOK_PRIORITY: [2, "be32"],
    }),
  ],
} as const;

/** Writes what makes a chain. */
export function writeChain(writer: AttributeWriter, chain: Chain): void {
  const { base } = chain;
  writeChainName(writer, chain);
  if (!base) return;
  writeAttributes(writer, CHAIN_ATTRIBUTES, {
    NFTA_CHAIN_TYPE: base.type,
    NFTA_CHAIN_POLICY: base.policy && verdictCode({ verdict: base.policy }),
    // A priority is signed; its 32 bits are sent.
    NFTA_CHAIN_HOOK: { NFTA_HOOK_HOOKNUM: HOOKS[base.hook], NFTA_HOOK_PRIORITY: base.priority >>> 0 },
  });
}

/** Writes what names a chain, to get or delete it. */
export function writeChainName(writer: AttributeWriter, chain: Chain): void {
  writeAttributes(writer, CHAIN_ATTRIBUTES, { NFTA_CHAIN_TABLE: chain.table, NFTA_CHAIN_NAME: chain.name });
}

/**
 * The chain of an NFT_MSG_NEWCHAIN. A base chain at a hook of another kind (a device's ingress) or of an unknown
 * type comes without its base.
 */
export function readChain(values: AttributeValues<typeof CHAIN_ATTRIBUTES>, family: FamilyName): Chain {
  const chain = { family, table: values.NFTA_CHAIN_TABLE ?? "", name: values.NFTA_CHAIN_NAME ?? "" };
  const { NFTA_HOOK_HOOKNUM: number, NFTA_HOOK_PRIORITY: priority } = values.NFTA_CHAIN_HOOK ?? {};
  const hook = number === undefined || family === "netdev" ? undefined : hookName(number);
  const type = values.NFTA_CHAIN_TYPE;
  if (hook === undefined || priority === undefined) return chain;
  if (type !== "filter" && type !== "nat" && type !== "route") return chain;
  const policy = values.NFTA_CHAIN_POLICY === DROP ? "drop" : "accept";
  return { ...chain, base: { type, hook, priority: priority | 0, policy } };
}

/** NF_DROP */
const DROP = 0;

/** The hook of a kernel number; `undefined` for `ingress` and `egress`, whose numbers depend on the family. */
function hookName(number: number): HookName | undefined {
  for (const name in HOOKS) {
    if (HOOKS[name as HookName] === number) return name as HookName;
  }
  return undefined;
}
