/** `--network` and the flags that go with it. */
import type { HostRequest, NetworkMode, NetworkOptions } from "../../network/options.ts";
import { UserError } from "../../user_error.ts";
import { didYouMean } from "../suggest.ts";
import { isIpAddress, isIpv4 } from "./address.ts";
import { parseEach } from "./each.ts";
import { type FlagWord, invalidArgument } from "./invalid.ts";
import { absolutePath } from "./path.ts";

/** The network flags as they were given. */
export interface NetworkFlags {
  readonly network?: readonly string[];
  readonly ip?: string;
  readonly "mac-address"?: string;
  readonly dns?: readonly string[];
  readonly "dns-search"?: readonly string[];
  readonly "dns-option"?: readonly string[];
  readonly "add-host"?: readonly string[];
}

/** All of them together. Throws a {@link UserError} for the first that cannot be read. */
export function parseNetworkFlags(flags: NetworkFlags): NetworkOptions {
  const { network = [] } = flags;
  if (network.length > 1) throw new UserError("more than one --network is not supported yet");
  const wish = network[0] === undefined ? BRIDGE : parseNetwork(network[0]);
  const { ip: address = "", "mac-address": hardware = "" } = flags;
  if (address !== "" && wish.ip !== null) throw new UserError("--ip cannot be used with --network …,ip=");
  if (hardware !== "" && wish.mac !== null) {
    throw new UserError("--mac-address cannot be used with --network …,mac-address=");
  }
  const ip = address === "" ? wish.ip : parseIp(address, "--ip");
  const mac = hardware === "" ? wish.mac : parseMac(hardware, "--mac-address");
  return {
    mode: wish.mode,
    ip,
    mac,
    dns: flags.dns === undefined ? [] : parseDns(flags.dns),
    dnsSearch: flags["dns-search"] === undefined ? [] : parseDnsSearch(flags["dns-search"]),
    dnsOptions: parseEach(flags["dns-option"], parseDnsOption),
    addHosts: parseEach(flags["add-host"], parseAddHost),
  };
}

/** What one `--network` word says. */
export interface NetworkWish {
  readonly mode: NetworkMode;
  readonly ip: string | null;
  readonly mac: string | null;
}

const BRIDGE: NetworkWish = { mode: { kind: "bridge" }, ip: null, mac: null };

const MODES = ["bridge", "none", "host", "ptp"];

/**
 * `bridge`, `none`, `host`, `ptp`, `container:NAME`, `ns:PATH`, with options after a comma, or docker's long
 * form `name=bridge,ip=172.16.0.9`.
 */
export function parseNetwork(text: string): NetworkWish {
  const word = { flag: "--network", text };
  const prefixed = parsePrefixed(word);
  if (prefixed !== undefined) return { mode: prefixed, ip: null, mac: null };
  const fields = text.split(",");
  const options = new Map<string, string>();
  let name: string | undefined;
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] ?? "";
    const equals = field.indexOf("=");
    if (i === 0 && equals < 0) name = field;
    else if (equals < 0) throw invalidArgument(`"${field}" is not OPTION=VALUE`, word);
    else {
      const key = field.slice(0, equals);
      if (options.has(key) || (key === "name" && name !== undefined)) {
        throw invalidArgument(`"${key}" is said twice`, word);
      }
      if (key === "name") name = field.slice(5);
      else options.set(key, field.slice(equals + 1));
    }
  }
  return readMode(name ?? "", options, word);
}

/** The modes whose rest is a name or a path, which may hold commas. */
function parsePrefixed(word: FlagWord): NetworkMode | undefined {
  const { text } = word;
  if (text.startsWith("container:")) {
    if (text.length === 10) throw invalidArgument("the container's name is missing", word);
    return { kind: "container", container: text.slice(10) };
  }
  if (!text.startsWith("ns:")) return undefined;
  if (text.length === 3) throw invalidArgument("the path of the namespace is missing", word);
  return { kind: "ns", path: absolutePath(text.slice(3)) };
}

function readMode(name: string, options: Map<string, string>, word: FlagWord): NetworkWish {
  const take = (key: string): string | undefined => {
    const value = options.get(key);
    options.delete(key);
    return value;
  };
  let mode: NetworkMode;
  let ip: string | null = null;
  let mac: string | null = null;
  if (name === "none") mode = { kind: "none", loopback: readChoice(take("lo"), ["up", "down"], word) };
  else if (name === "host") mode = { kind: "host" };
  else if (name === "bridge" || name === "default" || name === "ptp") {
    const [address, hardware] = [take("ip"), take("mac-address")];
    if (address !== undefined) ip = parseIp(address, "--network");
    if (hardware !== undefined) mac = parseMac(hardware, "--network");
    mode = name === "ptp"
      ? {
        kind: "ptp",
        gateway: readChoice(take("gateway"), ["on", "off"], word) === "on",
        masquerade: readChoice(take("masquerade"), ["on", "off"], word) === "on",
      }
      : { kind: "bridge" };
  } else throw unknownNetwork(name, word);
  const [left] = options.keys();
  if (left !== undefined) throw invalidArgument(`"${left}" is not an option of ${name}`, word);
  return { mode, ip, mac };
}

/** One of two words, the first of which holds where nothing was said. */
function readChoice<const First extends string, const Second extends string>(
  value: string | undefined,
  [first, second]: [First, Second],
  word: FlagWord,
): First | Second {
  if (value === undefined || value === first) return first;
  if (value === second) return second;
  throw invalidArgument(`"${value}" is neither ${first} nor ${second}`, word);
}

function unknownNetwork(name: string, word: FlagWord): UserError {
  const hint = didYouMean(name, MODES);
  const known = "bridge, none, host, ptp, container:NAME or ns:PATH";
  return invalidArgument(
    hint === "" ? `networks of one's own are not supported yet, use ${known}` : hint.slice(2),
    word,
  );
}

function parseIp(text: string, flag: string): string {
  if (!isIpv4(text)) throw invalidArgument("not an IPv4 address", { flag, text });
  return text;
}

/** Six octets with `:` or `-`, or three pairs with `.`; a link needs a unicast address that isn't zero. */
function parseMac(text: string, flag: string): string {
  const word = { flag, text };
  const pairs = /^([0-9a-f]{2})([0-9a-f]{2})\.([0-9a-f]{2})([0-9a-f]{2})\.([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text);
  const mac = (pairs?.slice(1).join(":") ?? text).toLowerCase().replaceAll("-", ":");
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) throw invalidArgument("not a MAC address", word);
  if (Number.parseInt(mac.slice(0, 2), 16) & 1) throw invalidArgument("a link cannot have a multicast address", word);
  if (mac === "00:00:00:00:00:00") throw invalidArgument("a link cannot have the zero address", word);
  return mac;
}

function parseDns(words: readonly string[]): readonly string[] | "none" {
  if (words.includes("none")) {
    if (words.length > 1) throw new UserError("--dns none cannot be used with another --dns");
    return "none";
  }
  for (const text of words) {
    if (!isIpAddress(text)) throw invalidArgument("not an IP address", { flag: "--dns", text });
  }
  return words;
}

/** `.` takes the search list away, as in docker. */
function parseDnsSearch(words: readonly string[]): readonly string[] {
  const domains = words.map((text) => text.trim());
  if (domains.includes(".")) return ["."];
  for (const text of domains) {
    const isDomain = /^[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?)*\.?$/;
    if (text.length > 253 || !/[a-zA-Z]/.test(text) || !isDomain.test(text)) {
      throw invalidArgument("not a domain", { flag: "--dns-search", text });
    }
  }
  return domains.map((text) => text.endsWith(".") ? text.slice(0, -1) : text);
}

function parseDnsOption(text: string): string {
  // It becomes one word in a line of resolv.conf: a blank or a line break would smuggle in more.
  if (!/^[a-zA-Z0-9_:.-]+$/.test(text)) {
    throw invalidArgument("not an option of resolv.conf", { flag: "--dns-option", text });
  }
  return text;
}

/** `NAME:ADDRESS` or `NAME=ADDRESS`, the address in brackets or not, or `host-gateway`. */
function parseAddHost(text: string): HostRequest {
  const word = { flag: "--add-host", text };
  const match = /^([^=:\s]+)[=:](.+)$/.exec(text);
  if (match === null) throw invalidArgument("not NAME:ADDRESS", word);
  const [, name = "", written = ""] = match;
  const address = /^\[.+\]$/.test(written) ? written.slice(1, -1) : written;
  if (address !== "host-gateway" && !isIpAddress(address)) {
    throw invalidArgument(`"${address}" is not an IP address`, word);
  }
  if (!/^[a-zA-Z0-9_.-]+$/.test(name)) throw invalidArgument(`"${name}" is not a host name`, word);
  return { name, address };
}
