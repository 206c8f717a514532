/**
 * From a rule's expressions to the text a person would have typed.
 *
 * Expressions are a small register machine: one loads `iifname` into a register, the next looks the register
 * up in a set. Each expression tells its part here: an operand for a register, or a finished statement. The
 * explanation is therefore made from the very data that is encoded for the kernel.
 */
import type { FamilyName } from "../family.ts";
import { valueText, type ValueType } from "../value_type.ts";

/** What a register holds, as text, and how constants compared with it are written. */
export interface Operand {
  readonly text: string;
  readonly type: ValueType;
  /** Bytes loaded. */
  readonly length: number;
  /** Set by a mask: `ct state` is then compared by its bits. */
  readonly mask?: Uint8Array;
  /** Which protocol a comparison with this operand settles; nft(8) makes such matches by itself. */
  readonly settles?: "l4proto" | "nfproto";
  /** The header a payload operand lies in. */
  readonly header?: "network" | "transport";
}

const REGISTER_SLOTS = 4;

/** Registers 1 to 4 are 16 bytes; NFT_REG32_00 (8) and on name the same memory by 4 bytes. */
export function registerSlot(register: number): number {
  return register < 8 ? (register - 1) * REGISTER_SLOTS : register - 8;
}

/** The register `bytes` further on than `register`, named as nft(8) names it: by 16 bytes where that is possible. */
export function registerAfter(register: number, bytes: number): number {
  const slot = registerSlot(register) + ((bytes + 3) >> 2);
  return slot % REGISTER_SLOTS === 0 ? slot / REGISTER_SLOTS + 1 : slot + 8;
}

/** Collects the statements of one rule. */
export class RuleText {
  readonly family: FamilyName;
  readonly #statements: string[] = [];
  readonly #registers = new Map<number, Operand>();
  #used = false;
  /** The protocols settled so far, and the statement that settled each, which a header's name implies. */
  #transport: string | undefined;
  #network: string | undefined;
  #implied: { header: "network" | "transport"; statement: number } | undefined;

  /** In a table of the family `ip` or `ip6` the network protocol needs no match. */
  constructor(family: FamilyName) {
    this.family = family;
    this.#network = family === "ip" ? "ipv4" : family === "ip6" ? "ipv6" : undefined;
  }

  /** The operand in a register, or a stand-in for one that was not understood. */
  operand(register: number): Operand {
    return this.#registers.get(registerSlot(register)) ?? { text: `reg ${register}`, type: "bytes", length: 0 };
  }

  load(register: number, operand: Operand): void {
    // Until then a register may be compared twice: a range of ports is two comparisons.
    if (this.#used) this.#registers.clear();
    this.#used = false;
    this.#registers.set(registerSlot(register), operand);
  }

  /** All operands from a register on, without a gap: the fields of a concatenation. */
  concatenation(register: number): Operand[] {
    const operands: Operand[] = [];
    let slot = registerSlot(register);
    for (let found = this.#registers.get(slot); found; found = this.#registers.get(slot)) {
      operands.push(found);
      slot += Math.max(1, (found.length + 3) >> 2);
    }
    return operands.length === 0 ? [this.operand(register)] : operands;
  }

  /** Adds a statement; the next load begins a new one. */
  statement(text: string): void {
    this.#statements.push(text);
    this.#used = true;
  }

  /** A match on a protocol: nft(8) adds it by itself where the next match names a field of that protocol. */
  settle(operand: Operand, value: Uint8Array, text: string): void {
    const header = operand.settles === "l4proto" ? "transport" : "network";
    const protocol = valueText(operand.type, value);
    if (header === "transport") this.#transport = protocol;
    else this.#network = protocol;
    this.statement(text);
    this.#implied = { header, statement: this.#statements.length - 1 };
  }

  /** The protocol of a header, for naming its fields; drops the match that the name implies. */
  protocolOf(header: "network" | "transport"): string | undefined {
    const protocol = header === "transport" ? this.#transport : this.#network;
    if (protocol !== undefined && this.#implied?.header === header) {
      if (this.#implied.statement === this.#statements.length - 1) this.#statements.pop();
      this.#implied = undefined;
    }
    return protocol;
  }

  toString(): string {
    return this.#statements.join(" ");
  }
}
