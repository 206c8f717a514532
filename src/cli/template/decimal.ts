/** Floating point numbers in decimal digits, as Go's strconv writes them. */
import { formatFloat, twoDigitExponent } from "./print.ts";

/** A number without a sign, by the verb `e`, `f`, or `g` and `v`; undefined is the verb's own precision. */
export function formatDecimal(value: number, verb: string, precision: number | undefined): string {
  if (!Number.isFinite(value)) return formatFloat(value);
  if (verb === "f") return fixed(value, precision ?? 6);
  if (verb === "e") return exponential(value, precision ?? 6);
  if (precision === undefined) return formatFloat(value);
  return general(value, precision || 1);
}

/** Digits behind the point; exact, ties to the even digit. */
function fixed(value: number, precision: number): string {
  const [numerator, denominator] = fraction(value);
  const scaled = numerator * 10n ** BigInt(precision);
  const rest = 2n * (scaled % denominator);
  let whole = scaled / denominator;
  if (rest > denominator || (rest === denominator && whole % 2n === 1n)) whole++;
  const digits = whole.toString().padStart(precision + 1, "0");
  const point = digits.length - precision;
  return precision === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** The number as it is stored: a fraction whose denominator is a power of two. */
function fraction(value: number): [numerator: bigint, denominator: bigint] {
  const bits = new DataView(new Float64Array([value]).buffer).getBigUint64(0, true);
  const exponent = Number(bits >> 52n & 0x7ffn);
  const mantissa = (bits & 0xfffffffffffffn) | (exponent === 0 ? 0n : 1n << 52n);
  const shift = BigInt(Math.max(exponent, 1) - 1075);
  return shift >= 0n ? [mantissa << shift, 1n] : [mantissa, 1n << -shift];
}

/** The most digits that toExponential gives; a double has no more than 17 that mean anything. */
const MOST_DIGITS = 100;

function exponential(value: number, precision: number): string {
  const text = twoDigitExponent(value.toExponential(Math.min(precision, MOST_DIGITS)));
  const more = "0".repeat(Math.max(0, precision - MOST_DIGITS));
  return text.replace("e", `${more}e`);
}

/** So many significant digits, without zeros at the end; an exponent where the point would be far away. */
function general(value: number, precision: number): string {
  const [digits = "", exponent = "0"] = exponential(value, precision - 1).split("e");
  const power = Number(exponent);
  const bare = digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
  if (power < -4 || power >= precision) return twoDigitExponent(`${bare}e${exponent}`);
  const text = fixed(value, Math.max(0, Math.min(precision, MOST_DIGITS) - 1 - power));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
