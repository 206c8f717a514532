/** Samples and what is said of them. */

/** Times in ms, one a round. */
export type Samples = readonly number[];

export interface Spread {
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
}

/** The value below which `part` (0 to 1) of the samples lie, between two samples by interpolation. */
function quantile(samples: Samples, part: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const place = (sorted.length - 1) * part;
  const below = sorted[Math.floor(place)] ?? NaN;
  const above = sorted[Math.ceil(place)] ?? NaN;
  return below + (above - below) * (place - Math.floor(place));
}

export function spreadOf(samples: Samples): Spread {
  return { median: quantile(samples, 0.5), p10: quantile(samples, 0.1), p90: quantile(samples, 0.9) };
}

/** Round by round: the sum of several. */
export function sumOf(...all: Samples[]): number[] {
  const [first = [], ...others] = all;
  return first.map((value, round) => others.reduce((sum, other) => sum + (other[round] ?? NaN), value));
}

/** Two ways to compare: the medians of all rounds, and the median of each round's own ratio. */
export function ratiosOf(ours: Samples, theirs: Samples): { ofMedians: number; medianOf: number } {
  return {
    ofMedians: quantile(ours, 0.5) / quantile(theirs, 0.5),
    medianOf: quantile(ours.map((value, round) => value / (theirs[round] ?? NaN)), 0.5),
  };
}
