/**
 * The old xtables (iptables-legacy), read only: what their FORWARD chain would do with a link's packets.
 * Source: linux/netfilter_ipv4/ip_tables.h, linux/netfilter/x_tables.h.
 */
import { readFileSync } from "node:fs";
import { isKernelError } from "../../ffi/errno.ts";
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import { struct } from "../../ffi/struct.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_IP = 0;
const IPT_SO_GET_INFO = 64;
const IPT_SO_GET_ENTRIES = 65;

const NF_INET_FORWARD = 2;
const HOOKS = 5;
const NAME_SIZE = 32;
/** Verdicts of a standard target are -NF_x - 1. */
const XT_DROP = -1;
const XT_ACCEPT = -2;

const IPT_GETINFO = struct("ipt_getinfo", {
  name: { bytes: NAME_SIZE },
  valid_hooks: "u32",
  hook_entry: { bytes: 4 * HOOKS },
  underflow: { bytes: 4 * HOOKS },
  num_entries: "u32",
  size: "u32",
});

/** In front of the entries; they hold 64-bit counters, so they begin at a multiple of eight. */
const IPT_GET_ENTRIES = struct("ipt_get_entries", { name: { bytes: NAME_SIZE }, size: "u32", pad: "u32" });

const IPT_ENTRY = struct("ipt_entry", {
  addresses: { bytes: 16 },
  iniface: { bytes: 16 },
  outiface: { bytes: 16 },
  iniface_mask: { bytes: 16 },
  outiface_mask: { bytes: 16 },
  proto: "u16",
  flags: "u8",
  invflags: "u8",
  nfcache: "u32",
  target_offset: "u16",
  next_offset: "u16",
  comefrom: "u32",
  packets: "u64",
  bytes: "u64",
});

const XT_ENTRY_TARGET = struct("xt_entry_target", { target_size: "u16", name: { bytes: 29 }, revision: "u8" });
/** What follows in a standard target. */
const XT_VERDICT = struct("xt_standard_target", { verdict: "s32" });

/** The target that begins a user's chain; its data are the chain's name. */
const XT_ERROR_TARGET = "ERROR";

/** What iptables-legacy has at FORWARD. */
export interface LegacyForward {
  readonly policy: "accept" | "drop";
  /** Whether a rule of the chain itself drops or rejects everything that gets so far. */
  readonly dropsRest: boolean;
  /** Links that rules accept, coming in or going out, whatever else they ask: names, or beginnings with a `+`. */
  readonly accepts: readonly string[];
  /** Names of the chains that users and tools have made. */
  readonly chains: readonly string[];
}

/**
 * The FORWARD chain of iptables-legacy's table `filter`; `undefined` where that table is not in use. It is not
 * asked for unless it is there, since to ask would load it. Throws the KernelError of the refusal (EPERM).
 */
export function readLegacyForward(): LegacyForward | undefined {
  if (!legacyTables().includes("filter")) return undefined;
  const doing = { operation: "read", subject: "the legacy iptables table filter" };
  const socket = check(syscall("socket", AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_IP), doing);
  try {
    const name = new TextEncoder().encode("filter");
    const ask = (option: number, buffer: Uint8Array) => {
      const length = new Uint8Array(Int32Array.of(buffer.length).buffer);
      check(syscall("getsockopt", socket, IPPROTO_IP, option, addressOf(buffer), addressOf(length)), doing);
      return buffer;
    };
    const info = IPT_GETINFO.decode(ask(IPT_SO_GET_INFO, IPT_GETINFO.encode({ name })));
    const entries = new Uint8Array(IPT_GET_ENTRIES.size + info.size);
    entries.set(IPT_GET_ENTRIES.encode({ name, size: info.size }));
    const at = (offsets: Uint8Array) => new Uint32Array(offsets.slice().buffer)[NF_INET_FORWARD] ?? 0;
    const chain = { begin: at(info.hook_entry), underflow: at(info.underflow) };
    return decodeForward(ask(IPT_SO_GET_ENTRIES, entries).subarray(IPT_GET_ENTRIES.size), chain);
  } finally {
    syscall("close", socket);
  }
}

/** Names of the legacy tables in use in this network namespace. */
function legacyTables(): string[] {
  try {
    return readFileSync("/proc/self/net/ip_tables_names", "latin1").split("\n");
  } catch (error) {
    // ENOENT: this kernel has no xtables at all.
    if (isKernelError(error) || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return [];
  }
}

/**
 * The entries of a table as the kernel gives them; `begin` is the offset of FORWARD's first rule, `underflow` that of its
 * policy. Throws a RangeError where they are truncated.
 */
export function decodeForward(entries: Uint8Array, at: { begin: number; underflow: number }): LegacyForward {
  const chains: string[] = [];
  const accepts = new Set<string>();
  let dropsRest = false;
  let policy: LegacyForward["policy"] = "accept";
  for (let offset = 0; offset < entries.length;) {
    const entry = IPT_ENTRY.decode(entries.subarray(offset));
    if (entry.next_offset < IPT_ENTRY.size) throw new RangeError("a legacy iptables rule is truncated");
    const targetAt = offset + entry.target_offset;
    const name = text(XT_ENTRY_TARGET.decode(entries.subarray(targetAt)).name);
    const data = entries.subarray(targetAt + XT_ENTRY_TARGET.size, offset + entry.next_offset);
    if (name === XT_ERROR_TARGET) {
      if (text(data) !== XT_ERROR_TARGET) chains.push(text(data)); // the one of that name ends the table
    } else if (name === "" && offset === at.underflow) {
      policy = XT_VERDICT.decode(data).verdict === XT_DROP ? "drop" : "accept";
    } else if (name === "" && XT_VERDICT.decode(data).verdict === XT_ACCEPT) {
      for (const link of linksOf(entry)) accepts.add(link);
    } else if (offset >= at.begin && offset < at.underflow && isUnconditional(entry)) {
      dropsRest ||= name === "REJECT" || name === "" && XT_VERDICT.decode(data).verdict === XT_DROP;
    }
    offset += entry.next_offset;
  }
  return { policy, dropsRest, accepts: [...accepts].sort(), chains };
}

type Entry = ReturnType<typeof IPT_ENTRY.decode>;

/** The links a rule names, a beginning with the `+` that iptables leaves there. */
function linksOf({ iniface, outiface }: Entry): string[] {
  return [text(iniface), text(outiface)].filter((name) => name !== "");
}

/** Neither addresses nor links nor a protocol are asked for, nor anything by an extension. */
function isUnconditional(entry: Entry): boolean {
  const asked = [entry.addresses, entry.iniface_mask, entry.outiface_mask];
  return entry.target_offset === IPT_ENTRY.size && entry.proto === 0 && entry.flags === 0 && entry.invflags === 0 &&
    asked.every((bytes) => bytes.every((byte) => byte === 0));
}

function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
