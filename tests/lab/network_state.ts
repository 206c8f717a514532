/**
 * All that can be seen of one network namespace, taken with ip(8), nft(8) and grep(1), for comparing two worlds that
 * shall be equal. What tells one making of the same thing from another is left out, nothing else.
 */
import { jsonItems, type Snapshot } from "./snapshot.ts";

/** A shell script, to be run inside the namespace, whose output {@link parseNetworkState} reads. */
export const NETWORK_STATE = `set +e
section() { echo "=== $1"; }
section link; ip -j -d link show
section address; ip -j -d address show
section route; ip -j -d route show table all; ip -j -d -6 route show table all
section rule; ip -j -d rule show; ip -j -d -6 rule show
section neigh; ip -j -d neigh show
section fdb; bridge -j -d fdb show
section netconf; ip -j netconf show; ip -j -6 netconf show
section nft; nft -j list ruleset
section sysctl; grep -rs . /proc/sys/net --exclude=nf_conntrack_count --exclude=stat_refresh --exclude=flush
section end`;

/**
 * Keys left out: numbers that the kernel gives in the order of making (and the names under which iproute2 knows a
 * namespace), clocks, counters.
 */
const GIVEN = new Set([
  ...["ifindex", "link_index", "link_netnsid", "link_netns", "handle"],
  ...["hello_timer", "tcn_timer", "topology_change_timer", "gc_timer", "message_age_timer", "forward_delay_timer"],
  ...["hold_timer", "used", "confirmed", "updated", "probes", "refcnt", "packets", "bytes", "metainfo"],
]);

/** What a link's carrier brings about, a moment after the command that set it up has ended. */
const CARRIER = /"operstate":"\w+",?|"state":"\w+",?|"(NO-CARRIER|LOWER_UP|M-DOWN)",?|"linkdown",?/g;

/** Reads what {@link NETWORK_STATE} printed: each thing one line. */
export function parseNetworkState(output: string): Snapshot {
  const state: Record<string, string[]> = {};
  for (const part of output.split(/^=== /m).slice(1)) {
    const [name = "", ...rest] = part.split("\n");
    if (name === "sysctl") state[name] = rest.filter((line) => line !== "");
    else if (name !== "end") state[name] = jsonItems(rest.join("\n")).flatMap(things).filter(isMade).map(text);
  }
  if (!output.includes("=== end")) throw new Error(`the state was not read to its end: ${output.slice(-500)}`);
  return state;
}

/** The same without what the carrier brings about later, for worlds that nobody waits for. */
export function withoutCarrier(state: Snapshot): Snapshot {
  const without: Record<string, string[]> = {};
  for (const [section, lines] of Object.entries(state)) {
    // What was last in a list leaves a comma behind, what was first does not.
    without[section] = lines.map((line) => line.replace(CARRIER, "").replace(/,(?=[\]}])/g, ""));
  }
  return without;
}

/** nft(8) puts its whole answer into one object. */
function things(item: unknown): unknown[] {
  const { nftables } = Object(item);
  return Array.isArray(nftables) ? nftables : [item];
}

/** A bridge learns from what passes where it came from, and forgets it again: what is permanent was made. */
function isMade(item: unknown): boolean {
  const { mac, state } = Object(item);
  return mac === undefined || state === "permanent";
}

function text(item: unknown): string {
  return JSON.stringify(item, (key, value) => {
    if (GIVEN.has(key)) return undefined;
    // A set's elements come in the order of a hash whose seed is the set's own.
    return key === "elem" && Array.isArray(value) ? value.map((each) => JSON.stringify(each)).sort() : value;
  });
}
