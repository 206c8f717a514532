/** `eq`, `lt` and the like. */
import { formatValue } from "./print.ts";
import { TemplateError } from "./template_error.ts";
import { typeName, type Value } from "./value.ts";

type Kind = "bool" | "int" | "float" | "string" | "none";

/** The kinds that can be compared with their own. */
function kindOf(value: Value): Kind {
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return "float";
    case "string":
      return "string";
    default:
      return "none";
  }
}

function isNil(value: Value): boolean {
  return value === undefined || value === null;
}

/** Whether the first value equals one of the others. */
export function equalValues(first: Value, ...others: readonly Value[]): boolean {
  if (others.length === 0) throw new TemplateError("missing argument for comparison");
  for (const other of others) {
    if (kindOf(first) !== kindOf(other)) {
      if (!isNil(first) && !isNil(other)) throw new TemplateError("incompatible types for comparison");
    } else if (equalOfKind(first, other)) return true;
  }
  return false;
}

function equalOfKind(first: Value, other: Value): boolean {
  if (kindOf(first) !== "none" || isNil(first) || isNil(other)) {
    return first === other || (isNil(first) && isNil(other));
  }
  const [type, otherType] = [typeName(first), typeName(other)];
  throw new TemplateError(
    type === otherType
      ? `non-comparable type ${formatValue(first)}: ${type}`
      : `non-comparable types ${formatValue(first)}: ${type}, ${otherType}: ${formatValue(other)}`,
  );
}

/** Less than, equal to or more than 0, as the first is less than, equal to or more than the second. */
export function compareValues(first: Value, second: Value): number {
  const kind = kindOf(first);
  if (kind === "none" || kindOf(second) === "none") throw new TemplateError("invalid type for comparison");
  if (kind !== kindOf(second)) throw new TemplateError("incompatible types for comparison");
  if (kind === "bool") throw new TemplateError("invalid type for comparison");
  // Both are of one kind, which neither bool nor nil is.
  const [a, b] = [first, second] as [bigint | number | string, bigint | number | string];
  return a < b ? -1 : a > b ? 1 : 0;
}
