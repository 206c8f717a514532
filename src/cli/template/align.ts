/** Columns out of tabs, as docker's tables have them. */

/** A column is no narrower, and three blanks wider than its widest cell. */
const LEAST = 10;
const GAP = 3;

/** A cell is what ends in a tab; what follows a line's last tab belongs to no column. */
export function alignTabs(text: string): string {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const widths: number[] = [];
  for (const cells of lines) {
    cells.slice(0, -1).forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? LEAST, lengthOf(cell) + GAP);
    });
  }
  const padded = (cell: string, width: number) => cell + " ".repeat(width - lengthOf(cell));
  return lines.map((cells) => {
    return cells.map((cell, column) => column < cells.length - 1 ? padded(cell, widths[column] ?? 0) : cell).join("");
  }).join("\n");
}

/** In characters. */
function lengthOf(text: string): number {
  return Array.from(text).length;
}
