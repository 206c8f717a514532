/**
 * /etc/resolv.conf: what the host's file says, and what the container's file is to say. Pure.
 *
 * Source: resolv.conf(5) and glibc's resolv/res_init.c: a keyword counts only in the first column, a later
 * `domain` or `search` replaces an earlier one, options add up, and only the first three name servers are asked.
 */
import { UserError } from "../user_error.ts";
import { isWord } from "./hosts_file.ts";
import type { NetworkOptions } from "./options.ts";

/** Where a container finds skdocker's name server, as it finds docker's: loopback, yet not what programs bind by habit. */
export const RESOLVER_ADDRESS = "127.0.0.11";
/** How many name servers libc asks (MAXNS in glibc's resolv.h). */
const MAXNS = 3;
/** What libc asks where the file names nobody, or is missing. */
const LIBC_DEFAULT = "127.0.0.1";

/** What a resolv.conf says. */
export interface ResolvConf {
  /** As written, IPv6 with its `%scope`; all of them, though libc asks but three. */
  readonly nameservers: readonly string[];
  /** The last `search` or `domain` line; empty when there is none. */
  readonly search: readonly string[];
  readonly options: readonly string[];
  readonly sortlist: readonly string[];
}

/** Where a forwarder sends queries: addresses as in resolv.conf, in order of preference, one to three. */
export interface ForwarderPlan {
  readonly upstreams: readonly string[];
}

/** What becomes of the container's file. */
export interface ResolvConfPlan {
  /** The whole file; null leaves the one in the root file system as it is. */
  readonly text: string | null;
  /** Queries to {@link RESOLVER_ADDRESS} in the container go, from the host's namespace, to these servers. */
  readonly forwarder: ForwarderPlan | null;
}

/** What {@link planResolvConf} decides from. */
export interface ResolvConfRequest {
  /** The host's file, or for `container:` the target's; null when there is none. */
  readonly hostText: string | null;
  readonly options: Pick<NetworkOptions, "mode" | "dns" | "dnsSearch" | "dnsOptions">;
}

/** Reads a resolv.conf as libc does; what it does not know is skipped, nothing is an error. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  const options: string[] = [];
  let search: string[] = [];
  let sortlist: string[] = [];
  for (const line of text.split("\n")) {
    const [keyword, ...values] = wordsOf(line);
    const first = values[0];
    if (keyword === "nameserver") { if (first) nameservers.push(first); }
    else if (keyword === "domain") search = first ? [first] : search;
    else if (keyword === "search") search = values;
    else if (keyword === "options") options.push(...values);
    else if (keyword === "sortlist") sortlist = values;
  }
  return { nameservers, search, options, sortlist };
}

/**
 * The words of a line before its comment; the first is empty where the line begins with a blank. Every start comes
 * through here, and the first regular expression of a process costs more than this loop.
 */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  let word = "";
  for (const character of line) {
    if (character === "#" || character === ";") break;
    if (character !== " " && character !== "\t" && character !== "\r") word += character;
    else if (word !== "" || words.length === 0) {
      words.push(word);
      word = "";
    }
  }
  if (word !== "") words.push(word);
  return words;
}

/**
 * Decides what the container's resolv.conf says, and whether a forwarder has to serve it.
 *
 * A forwarder is planned for a namespace of the container's own on a bridge or a routed pair, where the host's
 * servers cannot be asked from: a loopback address is another one in there, and without IPv6 nothing but IPv4 is
 * reached. `none` never gets one, as it would be a way out of a container that was to have no network.
 */
export function planResolvConf({ hostText, options }: ResolvConfRequest): ResolvConfPlan {
  if (options.dns === "none") return { text: null, forwarder: null };
  const changed = options.dns.length + options.dnsSearch.length + options.dnsOptions.length > 0;
  if (hostText !== null && !changed && isPlain(hostText)) return { text: hostText, forwarder: null };
  const host = parseResolvConf(hostText ?? "");
  const asked = serversAsked(host) ?? [LIBC_DEFAULT];
  const forwarder = needsForwarder(options, asked) ? { upstreams: asked } : null;
  if (!changed && !forwarder) return { text: hostText ?? "", forwarder };
  return { text: formatResolvConf(replaceParts(host, { options, forwarder }), forwarder), forwarder };
}

/** The servers that libc asks of those in a file; `undefined` where it names none. */
export function serversAsked({ nameservers }: ResolvConf): readonly string[] | undefined {
  return nameservers.length > 0 ? nameservers.slice(0, MAXNS) : undefined;
}

/** Whether a file names servers, none of them by IPv6 or on a loopback: seen without reading it line by line. */
function isPlain(text: string): boolean {
  const named = text.startsWith("nameserver ") || text.includes("\nnameserver ");
  return named && !text.includes(":") && !text.includes("127.") && !text.includes("0.0.0.0");
}

function needsForwarder(
  { mode, dns }: ResolvConfRequest["options"],
  asked: readonly string[],
): boolean {
  if (dns.length > 0 || (mode.kind !== "bridge" && mode.kind !== "ptp")) return false;
  return asked.some(isLoopback) || asked.every((address) => address.includes(":"));
}

/** Whether a name server's address is the machine itself as seen by itself: 127.0.0.0/8, ::1, or "this host". */
export function isLoopback(address: string): boolean {
  if (!address.includes(":")) return address.startsWith("127.") || address === "0.0.0.0";
  let digits = "";
  for (const character of address.toLowerCase()) {
    if (character === "%") break;
    digits += character;
  }
  const dotted = digits.startsWith("::ffff:") ? digits.slice(7) : "";
  if (dotted.includes(".")) return isLoopback(dotted);
  // Nothing but zeros and colons, with at most a 1 at the very end; "1::" is no loopback.
  for (let i = 0; i < digits.length - 1; i++) if (digits[i] !== "0" && digits[i] !== ":") return false;
  return "01:".includes(digits.at(-1) ?? "");
}

function replaceParts(
  host: ResolvConf,
  { options, forwarder }: { options: ResolvConfRequest["options"]; forwarder: ForwarderPlan | null },
): ResolvConf {
  const servers = forwarder ? [RESOLVER_ADDRESS] : host.nameservers;
  const search = options.dnsSearch.length > 0 ? options.dnsSearch.filter((domain) => domain !== ".") : host.search;
  return {
    nameservers: options.dns.length > 0 && options.dns !== "none" ? options.dns : servers,
    search,
    options: options.dnsOptions.length > 0 ? options.dnsOptions : host.options,
    sortlist: host.sortlist,
  };
}

function formatResolvConf(conf: ResolvConf, forwarder: ForwarderPlan | null): string {
  const lines = ["# Made by skdocker from the host's file and the command line."];
  if (forwarder) {
    lines.push(
      `# ${RESOLVER_ADDRESS} forwards, from the host's network namespace, to ${forwarder.upstreams.join(", ")}.`,
    );
  }
  for (const address of conf.nameservers) lines.push(line("nameserver", [address]));
  if (conf.search.length > 0) lines.push(line("search", conf.search));
  if (conf.sortlist.length > 0) lines.push(line("sortlist", conf.sortlist));
  if (conf.options.length > 0) lines.push(line("options", conf.options));
  return lines.join("\n") + "\n";
}

/** One line of the file. A blank inside a word would make two words of it, a newline a line of its own. */
function line(keyword: string, words: readonly string[]): string {
  for (const word of words) {
    if (!isWord(word)) throw new UserError(`${JSON.stringify(word)} cannot stand in a ${keyword} line of resolv.conf`);
  }
  return `${keyword} ${words.join(" ")}`;
}
