/** Tables as docker prints them: columns padded to their widest cell, three blanks between. */

const GAP = "   ";

export interface Table {
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns of the terminal; the widest cells are cut to fit. Undefined: nobody looks, nothing is cut. */
  readonly width?: number | undefined;
}

/** The table's lines, each ending in a line break, without blanks at their ends. */
export function formatTable({ headings, rows, width }: Table): string {
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  if (width !== undefined) shrink(widths, width - GAP.length * (headings.length - 1));
  let text = "";
  for (const line of lines) {
    text += widths.map((cells, column) => cut(line[column] ?? "", cells).padEnd(cells)).join(GAP).trimEnd() + "\n";
  }
  return text;
}

/** The narrowest a column becomes. */
const LEAST = 8;

/** Takes from the widest column until all fit, or until none can give any more. */
function shrink(widths: number[], available: number): void {
  for (let over = widths.reduce((sum, cells) => sum + cells, 0) - available; over > 0; over--) {
    const widest = widths.indexOf(Math.max(...widths));
    const cells = widths[widest] ?? 0;
    if (cells <= LEAST) return;
    widths[widest] = cells - 1;
  }
}

function cut(text: string, cells: number): string {
  return text.length <= cells ? text : text.slice(0, cells - 1) + "\u2026";
}
