/** /etc/hosts and /etc/hostname of a container, with docker's content. Pure. Source: hosts(5), hostname(5). */
import { UserError } from "../user_error.ts";
import type { HostRequest } from "./options.ts";

/** The lines every container has; the IPv6 ones are there whether or not the container has IPv6. */
const LOOPBACK_LINES = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];

/** `--add-host NAME:host-gateway`: the host, by the address it has on the container's network. */
const HOST_GATEWAY = "host-gateway";

/** What goes into a container's hosts file. */
export interface HostsRequest {
  readonly hostname: string;
  /** The container's address; null where it has none of its own (none, host, ns). */
  readonly address: string | null;
  /** What `host-gateway` stands for; null where the host cannot be reached. */
  readonly gateway: string | null;
  readonly addHosts: readonly HostRequest[];
  /** The host's own file, which `--network host` goes on from; null otherwise. */
  readonly hostText: string | null;
}

/** The text of /etc/hosts. Throws a UserError for `host-gateway` on a network without one. */
export function planHosts({ hostname, address, gateway, addHosts, hostText }: HostsRequest): string {
  const lines = hostText === null ? [...LOOPBACK_LINES] : withoutEmptyEnd(hostText.split("\n"));
  for (const { name, address: wanted } of addHosts) lines.push(`${addressOf(wanted, gateway)}\t${checked(name)}`);
  if (address !== null) lines.push(`${address}\t${namesOf(checked(hostname)).join(" ")}`);
  return lines.join("\n") + "\n";
}

/** The text of /etc/hostname. */
export function planHostname(hostname: string): string {
  return `${checked(hostname)}\n`;
}

function withoutEmptyEnd(lines: string[]): string[] {
  while (lines.at(-1) === "") lines.pop();
  return lines;
}

function addressOf(wanted: string, gateway: string | null): string {
  if (wanted !== HOST_GATEWAY) return checked(wanted);
  if (gateway === null) throw new UserError("--add-host: this network has no host-gateway, as the host is not on it");
  return gateway;
}

/** `web.example.org` is found as `web` as well. */
function namesOf(hostname: string): string[] {
  const dot = hostname.indexOf(".");
  return dot > 0 ? [hostname, hostname.slice(0, dot)] : [hostname];
}

/** A word that cannot begin another word or line of the file. */
function checked(word: string): string {
  if (!isWord(word)) throw new UserError(`${JSON.stringify(word)} cannot stand in a hosts file`);
  return word;
}

/** Whether a text is one word of a line: not empty, nothing in it that ends a word, a line or begins a comment. */
export function isWord(text: string): boolean {
  for (const character of text) if (character <= " " || "#;\u007f".includes(character)) return false;
  return text !== "";
}
