/** "Did you mean": the nearest of the words somebody could have meant. */

/**
 * How many single-letter insertions, deletions, replacements and swaps of neighbours lead from one word
 * to the other (the optimal string alignment distance).
 */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      let least = Math.min(replaced, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length] ?? 0;
}

/** The candidate nearest to `word`, or undefined where none is near enough to be what was meant. */
export function suggestion(word: string, candidates: Iterable<string>): string | undefined {
  // A third of the letters may be wrong; two-letter words need the very letters.
  let least = Math.floor(Math.max(word.length, 3) / 3) + 1;
  let best: string | undefined;
  for (const candidate of candidates) {
    const distance = word.length > 2 && candidate.startsWith(word) ? 1 : editDistance(word, candidate);
    if (distance < least && distance < Math.max(word.length, candidate.length)) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** `, did you mean "run"?`, or nothing. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const best = suggestion(word, candidates);
  return best === undefined ? "" : `, did you mean ${best}?`;
}
