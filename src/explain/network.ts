/** Steps of a network as the command lines a person would have typed, for sh(1), ip(8), sysctl(8), nft(8). Pure. */
import { shellWord } from "../container/container_step.ts";
import type { LinkSettings, NetworkPurpose, NetworkStep, Side } from "../network/network_step.ts";
import { nftLine } from "./nft.ts";

/** What a line has to know beside its step. */
export interface NetworkContext {
  /** The name that ip-netns(8) is to give to the container's namespace, which skdocker itself leaves nameless. */
  readonly namespace: string;
}

/** Why a step is there, and why there: one comment for steps of one purpose. */
const WHY: Readonly<Record<NetworkPurpose, string>> = {
  bridge: "The containers' switch, whose own address is their gateway: made down, set up when it is safe",
  harden: "While the link is down: nothing a container advertises may move the host's routes (CVE-2020-13401)",
  forward: "Packets are passed on by these links alone; the host's own switch, ip_forward, stays as it is",
  firewall: "Rules before traffic: networks kept apart, answers let in, sources hidden behind the host",
  namespace:
    "A network of the container's own, ready before a process is in it; what it inherits from the host is cleared",
  pair: "The cable between host and container: made down, set up when it is safe",
  address: "Before the end is up, so that it is never up without its address",
  route: "The way out, last: it needs the link up and the gateway in reach",
  neighbour: "The host still knows this address as another container's",
  docker: "dockerd drops what others forward, except what the chain that it keeps for them lets through",
  resolver: "Questions to 127.0.0.11 go to the ports that skdocker listens on; the container's own port 53 stays free",
  undo: "What does not end with the container's namespace is taken back",
};

/** The comment above steps of one purpose. */
export function purposeLine(purpose: NetworkPurpose): string {
  return `# ${WHY[purpose]}`;
}

/** One runnable line for one step. */
export function networkLine(step: NetworkStep, { namespace }: NetworkContext): string {
  switch (step.do) {
    case "add namespace":
      return line("ip", ["netns", "add", namespace]);
    case "write sysctl":
      return inside(step.side, namespace) + line("sysctl", ["-qw", `${sysctlKey(step.name)}=${step.value}`]);
    case "change firewall":
      return inside(step.side, namespace) + nftLine(step.operation);
    case "add bridge":
      return line("ip", ["link", "add", step.link, ...["address", step.address], "type", "bridge"]);
    case "add veth":
      return line("ip", ["link", "add", ...vethWords(step, namespace)]);
    default:
      return line("ip", [...(isInside(step) ? ["-n", namespace] : []), ...ipWords(step)]);
  }
}

type VethStep = Extract<NetworkStep, { do: "add veth" }>;
type IpStep = Exclude<
  NetworkStep,
  { do: "add namespace" | "write sysctl" | "change firewall" | "add bridge" | "add veth" }
>;

function isInside(step: IpStep): boolean {
  return "side" in step && step.side === "container";
}

function vethWords({ link, address, mtu, master, peer }: VethStep, namespace: string): string[] {
  return [
    link,
    ...identity({ address, mtu }),
    ...(master === null ? [] : ["master", master]),
    ...["type", "veth", "peer", "name", peer.link],
    ...identity({ address: peer.address, mtu }), // the other end takes over neither
    ...["netns", namespace],
  ];
}

function identity({ address, mtu }: { address: string; mtu: number }): string[] {
  return ["address", address, "mtu", String(mtu)];
}

function ipWords(step: IpStep): string[] {
  switch (step.do) {
    case "set link":
      return ["link", "set", "dev", step.link, ...settingWords(step.settings)];
    case "rename link":
      return ["link", "set", "dev", step.link, "name", step.name];
    case "delete link":
      return ["link", "delete", "dev", step.link];
    case "add address":
    case "delete address":
      return ["address", verb(step.do), step.address, "dev", step.link];
    case "add route":
    case "delete route":
      return ["route", verb(step.do), step.to, ...(step.via === null ? [] : ["via", step.via]), "dev", step.link];
    case "delete neighbour":
      return ["neighbour", "delete", step.ip, "dev", step.link];
    case "replace neighbour":
      // Without "reachable" ip(8) would make the entry permanent.
      return ["neighbour", "replace", step.ip, "lladdr", step.address, "dev", step.link, "nud", "reachable"];
  }
}

function verb(deed: string): string {
  return deed.slice(0, deed.indexOf(" "));
}

/** What belongs to the bridge or its port comes last: after `type` ip-link(8) reads nothing else. */
function settingWords(settings: LinkSettings): string[] {
  const { up, alias, mtu, address, master, hairpin, flags = {}, queueLength, group, options = {} } = settings;
  const words: string[] = [];
  if (alias !== undefined) words.push("alias", alias);
  if (mtu !== undefined) words.push("mtu", String(mtu));
  if (address !== undefined) words.push("address", address);
  if (master !== undefined) words.push("master", master);
  for (const [flag, on] of Object.entries(flags)) words.push(flag, on ? "on" : "off");
  if (queueLength !== undefined) words.push("txqueuelen", String(queueLength));
  if (group !== undefined) words.push("group", String(group));
  if (up !== undefined) words.push(up ? "up" : "down");
  if (hairpin !== undefined) words.push("type", "bridge_slave", "hairpin", hairpin ? "on" : "off");
  const chosen = Object.entries(options);
  if (chosen.length > 0) words.push("type", "bridge", ...chosen.flatMap(([word, value]) => [word, String(value)]));
  return words;
}

/**
 * The name as sysctl(8) reads it. Where a link's name holds dots (`eth0.100`) slashes part the words: the first
 * separator that sysctl meets is the one it goes by.
 */
function sysctlKey(name: string): string {
  const parts = /^(net)\.(ipv[46])\.(conf|neigh)\.(.+)\.([a-z0-9_]+)$/.exec(name);
  return parts?.[4]?.includes(".") ? parts.slice(1).join("/") : name;
}

function inside(side: Side, namespace: string): string {
  return side === "container" ? `${line("ip", ["netns", "exec", namespace])} ` : "";
}

function line(program: string, words: readonly string[]): string {
  return `${program} ${words.map(shellWord).join(" ")}`;
}
