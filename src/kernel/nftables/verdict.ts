/**
 * Verdicts: what a rule, a verdict map's element or a chain's policy decides.
 * Source: include/uapi/linux/netfilter.h (NF_*), nf_tables.h (enum nft_verdicts).
 */

const CODES = {
  drop: 0, // NF_DROP
  accept: 1, // NF_ACCEPT
  continue: -1, // NFT_CONTINUE
  jump: -3, // NFT_JUMP
  goto: -4, // NFT_GOTO
  return: -5, // NFT_RETURN
} as const;

/** A decision without a target. */
export type PlainVerdict = "accept" | "drop" | "continue" | "return";

/** A decision; `jump` comes back after the chain's end, `goto` does not. */
export type Verdict =
  | { readonly verdict: PlainVerdict }
  | { readonly verdict: "jump" | "goto"; readonly chain: string };

/** The kernel's number for a verdict. */
export function verdictCode(verdict: Verdict): number {
  return CODES[verdict.verdict];
}

/** The verdict of a kernel number, or `undefined` for one not in use here (queue, stolen). */
export function verdictOf(code: number, chain: string | undefined): Verdict | undefined {
  for (const name in CODES) {
    const verdict = name as keyof typeof CODES;
    if (CODES[verdict] !== code) continue;
    if (verdict !== "jump" && verdict !== "goto") return { verdict };
    return chain === undefined ? undefined : { verdict, chain };
  }
  return undefined;
}

/** `accept`, `jump NAME`: as nft(8) writes it. */
export function verdictText(verdict: Verdict): string {
  return "chain" in verdict ? `${verdict.verdict} ${verdict.chain}` : verdict.verdict;
}
