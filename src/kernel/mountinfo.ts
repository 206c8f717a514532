/** /proc/self/mountinfo, proc(5). Pure. */

/** The mount points of what is mounted on a mount itself, by that one's id: what another mount hides is none of them. */
export function mountsOn(mountId: number, mountinfo: string): string[] {
  const fields = mountinfo.split("\n").map((line) => line.split(" "));
  return fields.filter(([, parent]) => parent === String(mountId)).map((words) => unescapePath(words[4] ?? ""));
}

/** mountinfo writes space, tab, newline and backslash as three octal digits. */
export function unescapePath(path: string): string {
  if (!path.includes("\\")) return path; // a first regular expression costs a start 0.4 ms
  return path.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
}
