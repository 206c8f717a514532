/** All expressions that are known here, and those that are not: the latter keep their name. */
import { AttributeReader, type AttributeWriter } from "../netlink/attributes.ts";
import { bitwise } from "./expr/bitwise.ts";
import { byteorder } from "./expr/byteorder.ts";
import { cmp } from "./expr/cmp.ts";
import { match, target } from "./expr/compat.ts";
import { counter } from "./expr/counter.ts";
import { ct } from "./expr/ct.ts";
import { type AnyDeclaration, decodeFields, encodeFields, type Fields } from "./expr/declare.ts";
import { exthdr } from "./expr/exthdr.ts";
import { fib } from "./expr/fib.ts";
import { immediate } from "./expr/immediate.ts";
import { lookup } from "./expr/lookup.ts";
import { masquerade } from "./expr/masquerade.ts";
import { meta } from "./expr/meta.ts";
import { nat } from "./expr/nat.ts";
import { payload } from "./expr/payload.ts";
import { redirect } from "./expr/redirect.ts";
import { reject } from "./expr/reject.ts";
import { rt } from "./expr/rt.ts";
import { RuleText } from "./expr/rule_text.ts";
import type { FamilyName } from "./family.ts";

const DECLARED = {
  bitwise,
  byteorder,
  cmp,
  counter,
  ct,
  exthdr,
  fib,
  immediate,
  lookup,
  masq: masquerade,
  match,
  meta,
  nat,
  payload,
  redir: redirect,
  reject,
  rt,
  target,
} as const;

/** An expression of another tool's rule that is not known here, or lacks what it must have. */
interface UnknownExpression {
  readonly expr: "unknown";
  readonly name: string;
}

type KnownExpression = { [K in keyof typeof DECLARED]: Fields<(typeof DECLARED)[K]> }[keyof typeof DECLARED];
export type Expression = KnownExpression | UnknownExpression;

// nf_tables.h (enum nft_expr_attributes, nft_list_attributes)
const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;

const NO_BYTES = new Uint8Array(0);

function declaration(name: string): AnyDeclaration | undefined {
  return Object.hasOwn(DECLARED, name)
    ? DECLARED[name as keyof typeof DECLARED] as unknown as AnyDeclaration
    : undefined;
}

/** A rule's expressions as nft(8) would write the rule, without its comment. */
export function expressionsText(expressions: readonly Expression[], family: FamilyName): string {
  const rule = new RuleText(family);
  for (const expression of expressions) {
    const declared = declaration(expression.expr);
    if (declared) declared.describe(expression as never, rule); // each is described by its own declaration
    else rule.statement(`(${(expression as UnknownExpression).name})`);
  }
  return rule.toString();
}

/** Writes expressions as the list that is the attribute `type`. Throws a TypeError for an unknown expression. */
export function writeExpressions(writer: AttributeWriter, type: number, expressions: readonly Expression[]): void {
  const list = writer.openNested(type);
  for (const expression of expressions) {
    const declared = declaration(expression.expr);
    if (!declared) throw new TypeError("an expression that is not known cannot be sent");
    const element = writer.openNested(NFTA_LIST_ELEM);
    writer.string(NFTA_EXPR_NAME, expression.expr);
    const data = writer.openNested(NFTA_EXPR_DATA);
    encodeFields(writer, declared.attributes, expression);
    writer.closeNested(data);
    writer.closeNested(element);
  }
  writer.closeNested(list);
}

/** The expressions of a list's bytes. Throws a RangeError where they are truncated. */
export function readExpressions(bytes: Uint8Array): Expression[] {
  const reader = new AttributeReader(bytes);
  const expressions: Expression[] = [];
  while (reader.next()) {
    if (reader.type === NFTA_LIST_ELEM) expressions.push(reader.nested(readExpression));
  }
  return expressions;
}

/** The kernel sends the name before the data, which are read by it. */
function readExpression(reader: AttributeReader): Expression {
  let name = "";
  let values: Record<string, unknown> | undefined;
  while (reader.next()) {
    if (reader.type === NFTA_EXPR_NAME) {
      name = reader.string("NFTA_EXPR_NAME");
      values = undefined;
    } else if (reader.type === NFTA_EXPR_DATA) {
      const declared = declaration(name);
      if (declared) values = reader.nested(() => decodeFields(declared.attributes, reader));
    }
  }
  // Where nothing is to be said (masq), there may be no data at all.
  const declared = declaration(name);
  if (declared && !values) values = decodeFields(declared.attributes, new AttributeReader(NO_BYTES));
  // The declaration of that name is the one that made the values.
  return values ? { expr: name, ...values } as unknown as Expression : { expr: "unknown", name };
}
