/**
 * The observable state of a lab's host as lines of text, section by section, taken with independent tools.
 * What changes by itself (handles, counters, ages, mount ids, the order of dumps) is left out.
 */

/** Section ("links", "nft", …) → its lines, sorted. */
export type Snapshot = Readonly<Record<string, readonly string[]>>;

/**
 * The script whose output {@link parseSnapshot} reads: one run of a shell in the host's namespaces.
 * Its own shell and the processes of the lab (the holder, the servers) are left out of the processes.
 */
export function snapshotScript(roots: readonly string[], { sysctls = true }: { sysctls?: boolean } = {}): string {
  return `
section() { echo "=== $1"; }
section links; ip -j -d link show
section addresses; ip -j address show
section routes; ip -j route show table all; ip -j -6 route show table all
section rules; ip -j rule show; ip -j -6 rule show
section neighbours; ip -j neigh show
section nft; nft -j list ruleset
${
    sysctls
      ? "section sysctls; grep -rs"
      : ": "
  } . /proc/sys/net --exclude=nf_conntrack_count --exclude=stat_refresh --exclude=flush
section mounts; cut -d' ' -f4- /proc/self/mountinfo
section namespaces; ls /run/netns 2>/dev/null; readlink /proc/[0-9]*/ns/* | sort -u
section processes; grep -asH . /proc/[0-9]*/comm /proc/[0-9]*/cmdline
section cgroups; find /sys/fs/cgroup -mindepth 1 -type d
section files; find ${roots.map((root) => `'${root}'`).join(" ")} -mindepth 1 -printf '%y %m %p %l\\n' 2>/dev/null
section end`;
}

/** Keys of `ip -j` and `nft -j` that differ between two equal states. */
const VOLATILE = new Set([
  "ifindex",
  "link_index",
  // A bridge's carrier follows its ports, up to a second late.
  "operstate",
  // The largest segments of a bridge's ports stay its own when they have gone.
  "tso_max_size",
  "stats",
  "stats64",
  "handle",
  "packets",
  "bytes",
  "valid_life_time",
  "preferred_life_time",
  "used",
  "updated",
  "confirmed",
  "probes",
  "refcnt",
  "expires",
  "hello_timer",
  "gc_timer",
  "tcn_timer",
  "topology_change_timer",
  "message_age_timer",
  "forward_delay_timer",
  "hold_timer",
]);

/**
 * Processes of the lab itself, and of the snapshot: its shell and its grep, beside which nothing of it may run. For what
 * is just being executed has its shell's name and no words. What has just ended has a name without words, too.
 */
const OWN_PROCESS =
  /^(sleep sleep infinity|dnsmasq |busybox busybox httpd|bash bash .*world\.sh|grep |touch( |$)|(ba)?sh (touch|grep) )|=== /;

/** Reads what {@link snapshotScript} printed. */
export function parseSnapshot(output: string): Snapshot {
  const snapshot: Record<string, string[]> = {};
  for (const part of output.split(/^=== /m).slice(1)) {
    const lineEnd = part.indexOf("\n");
    const name = part.slice(0, lineEnd);
    if (name !== "end") snapshot[name] = sectionLines(name, part.slice(lineEnd + 1)).sort();
  }
  return snapshot;
}

function sectionLines(name: string, text: string): string[] {
  if (text.trim() === "") return [];
  switch (name) {
    case "links":
    case "addresses":
    case "routes":
    case "rules":
      return jsonItems(text).map(stable);
    case "neighbours":
      // The road to the internet is learnt and forgotten by itself.
      return jsonItems(text).filter((entry) => field(entry, "dev") !== "eth0").map((entry) =>
        `${field(entry, "dev")} ${field(entry, "dst")} ${field(entry, "lladdr")}`
      );
    case "nft":
      return jsonItems(text).flatMap((item) => Object.values(Object(item)).flatMap((v) => Array.isArray(v) ? v : []))
        .filter((item) => !("metainfo" in Object(item))).map(stable);
    case "processes":
      return processes(text);
    case "files":
      // Where the next search for an address begins moves with each that was taken.
      return lines(text).map((line) => line.replace(/(\/cursor) .*$/, "$1"));
    default:
      return lines(text);
  }
}

/** Each process as its name and its command line (its words end in NUL), which may have lines of its own. */
function processes(text: string): string[] {
  const found = new Map<string, string[]>();
  for (const line of lines(text.replaceAll("\0", " "))) {
    const [, pid = "", said = ""] = /^\/proc\/(\d+)\/\w+:(.*)$/.exec(line) ?? [];
    found.set(pid, [...(found.get(pid) ?? []), said]);
  }
  return [...found.values()].map((said) => said.join(" ")).filter((line) => !OWN_PROCESS.test(line));
}

function lines(text: string): string[] {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

/** All items of the JSON arrays (or the one object) that stand in `text`, one a line. */
export function jsonItems(text: string): unknown[] {
  return lines(text).flatMap((line) => {
    const value: unknown = JSON.parse(line);
    return Array.isArray(value) ? value : [value];
  }).filter((item) => Object.keys(Object(item)).length > 0);
}

function field(item: unknown, key: string): unknown {
  return Object(item)[key];
}

/** Flags that follow the carrier; UP, which somebody sets, stays. */
const VOLATILE_FLAGS = new Set(["NO-CARRIER", "LOWER_UP", "M-DOWN", "linkdown"]);

/** JSON with volatile keys and flags left out. */
function stable(item: unknown): string {
  return JSON.stringify(item, (key, value) => {
    if (VOLATILE.has(key)) return undefined;
    return key === "flags" && Array.isArray(value) ? value.filter((flag) => !VOLATILE_FLAGS.has(flag)) : value;
  });
}

/** What differs, a line each: "- links: …" was there before and is gone, "+ nft: …" is new. Empty when equal. */
export function difference(before: Snapshot, after: Snapshot): string[] {
  const out: string[] = [];
  for (const section of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const left = [...(before[section] ?? [])];
    const added: string[] = [];
    for (const line of after[section] ?? []) {
      const at = left.indexOf(line);
      if (at >= 0) left.splice(at, 1);
      else added.push(line);
    }
    const [gone, come] = section === "sysctls" ? [byLink(left, added), byLink(added, left)] : [left, added];
    out.push(...gone.map((line) => `- ${section}: ${line}`), ...come.map((line) => `+ ${section}: ${line}`));
  }
  return out;
}

/** A link that is on this side alone brings a hundred sysctls: they become one line. */
function byLink(lines: readonly string[], others: readonly string[]): string[] {
  const linkOf = (line: string) => /^\/proc\/sys\/net\/\w+\/(?:conf|neigh)\/([^/]+)\//.exec(line)?.[1] ?? "";
  const elsewhere = new Set(others.map(linkOf));
  const groups = new Map<string, string[]>();
  for (const line of lines) groups.set(linkOf(line), [...(groups.get(linkOf(line)) ?? []), line]);
  // A few lines are changes of a link's settings, worth reading; all of them mean that the link has come or gone.
  return [...groups].flatMap(([link, own]) =>
    link !== "" && own.length > 20 && !elsewhere.has(link) ? [`all those of ${link}`] : own
  );
}
