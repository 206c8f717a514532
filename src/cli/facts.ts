/** Nested facts as indented lines, in the manner of `docker info`. */

/** `{ cgroup: { version: 2 } }` → ` Cgroup:\n  Version: 2\n`; empty values are left out, lists are joined. */
export function formatFacts(facts: unknown, depth: number): string {
  if (typeof facts !== "object" || facts === null) return "";
  let text = "";
  for (const [name, value] of Object.entries(facts)) {
    const label = " ".repeat(depth) + labelOf(name) + ":";
    if (value === null || value === undefined || value === "") continue;
    if (Array.isArray(value) && value.some((item) => typeof item === "object")) {
      text += `${label}\n` + value.map((item) => formatFacts(item, depth + 1)).join("");
    } else if (Array.isArray(value)) text += `${label} ${value.join(" ")}`.trimEnd() + "\n";
    else if (typeof value === "object") text += `${label}\n` + formatFacts(value, depth + 1);
    else text += `${label} ${value}\n`;
  }
  return text;
}

/** `kernelVersion` → `Kernel Version`; a name that isn't in camel case stays as it is. */
function labelOf(name: string): string {
  if (!/^[a-z][a-zA-Z0-9]*$/.test(name)) return name;
  const spaced = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
