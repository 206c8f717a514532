/** /proc/self/mountinfo, proc(5). Pure. */

/** The mount points, in the order they were mounted. */
export function mountPoints(mountinfo: string): string[] {
  return mountinfo.split("\n").filter((line) => line !== "").map((line) => unescapePath(line.split(" ")[4] ?? ""));
}

/** mountinfo writes space, tab, newline and backslash as three octal digits. */
export function unescapePath(path: string): string {
  if (!path.includes("\\")) return path; // a first regular expression costs a start 0.4 ms
  return path.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
}
