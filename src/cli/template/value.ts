/** What a template works on: JSON's values in the kinds that Go has for them. */

/**
 * `undefined` is the value of a map's missing key, `null` Go's nil. A bigint is an int, a number a float64. A
 * {@link Struct} has the fields it has, a map any key.
 */
export type Value =
  | undefined
  | null
  | boolean
  | bigint
  | number
  | string
  | readonly Value[]
  | ReadonlyMap<string, Value>
  | Struct;

export class Struct {
  /** In the order in which they are printed. */
  readonly fields: ReadonlyMap<string, Value>;

  constructor(fields: ReadonlyMap<string, Value>) {
    this.fields = fields;
  }
}

/** Plain data → a value: an object becomes a struct, a Map a map, a whole number an int. */
export function valueOf(data: unknown): Value {
  switch (typeof data) {
    case "boolean":
    case "bigint":
    case "string":
      return data;
    case "number":
      return Number.isInteger(data) ? BigInt(data) : data;
    case "object":
      if (data === null) return null;
      if (Array.isArray(data)) return data.map(valueOf);
      if (data instanceof Map) return new Map([...data].map(([key, value]) => [String(key), valueOf(value)]));
      return new Struct(new Map(Object.entries(data).map(([name, value]) => [name, valueOf(value)])));
    default:
      return null;
  }
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMap(value: Value): value is ReadonlyMap<string, Value> {
  return value instanceof Map;
}

/** A map's keys in the order of Go's fmt and range. */
export function sortedKeys(map: ReadonlyMap<string, Value>): string[] {
  return [...map.keys()].sort();
}

/** False, zero, nil and whatever is empty are not true. */
export function isTrue(value: Value): boolean {
  if (value instanceof Struct) return true;
  if (isList(value)) return value.length > 0;
  return isMap(value) ? value.size > 0 : Boolean(value);
}

/** What Go calls the value's type. */
export function typeName(value: Value): string {
  if (value === undefined || value === null) return "interface {}";
  if (value instanceof Struct) return "struct";
  if (isList(value)) return "[]interface {}";
  if (isMap(value)) return "map[string]interface {}";
  return typeof value === "bigint" ? "int" : typeof value === "boolean" ? "bool" : numberOrString(value);
}

function numberOrString(value: number | string): string {
  return typeof value === "number" ? "float64" : "string";
}
