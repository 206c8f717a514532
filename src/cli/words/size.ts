/**
 * A number of bytes as docker's flags take it: `512m`, `1.5g`, `64 KiB`, units of 1024, `b` or nothing for
 * bytes. Returns undefined for anything else.
 */
export function parseSize(text: string): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]*)?|\.[0-9]+) ?(?:([bB])|([kmgtpKMGTP])(?:[iI]?[bB])?)?$/.exec(text);
  if (match === null) return undefined;
  const unit = (match[3] ?? "").toLowerCase();
  const bytes = Math.trunc(Number(match[1]) * 1024 ** (unit === "" ? 0 : "kmgtp".indexOf(unit) + 1));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
