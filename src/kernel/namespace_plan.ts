/** Programs for network namespaces: made, entered and left again in one native call. Pure. */
import type { Argument, Call, Item, SyscallProgram } from "../../ffi/program.ts";
import { CLONE_NEWNET } from "./namespace_flags.ts";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY, O_RDWR } from "./open_flags.ts";

export const OWN_NAMESPACE = "/proc/thread-self/ns/net";

/** A kernel parameter, `/proc/sys/net/…`, and the text to write to it. */
export interface NamespaceSysctl {
  readonly path: string;
  readonly value: string;
  /** A kernel without this parameter (a feature left out, an older version) is no failure. */
  readonly optional?: boolean;
}

/** A socket to open inside, socket(2), with an address to bind it to. Close-on-exec is always added. */
export interface NamespaceSocket {
  readonly name: string;
  readonly family: number;
  /** SOCK_*, with SOCK_NONBLOCK where wanted. */
  readonly type: number;
  readonly protocol: number;
  /** A sockaddr. */
  readonly bind?: Uint8Array;
  /** For a listening socket: the backlog. */
  readonly listen?: number;
}

/** What {@link createNetworkNamespace} is asked for. */
export interface NetworkNamespaceOptions {
  readonly sysctls: readonly NamespaceSysctl[];
  readonly sockets: readonly NamespaceSocket[];
}

/** What the text of a parameter that is a number takes at most, as it is read before it is written. */
const FORMER_BYTES = 16;

/** The buffers that {@link sysctlItems} reads into. */
export function formerBuffers(sysctls: readonly NamespaceSysctl[]): Record<string, number> {
  const buffers: Record<string, number> = {};
  for (const { path } of sysctls) buffers[path] = FORMER_BYTES;
  return buffers;
}

/** What is done in another namespace: how to get there, and what to do. */
export interface Visit {
  readonly enter: Item;
  readonly items: readonly Item[];
  readonly buffers?: SyscallProgram["buffers"];
}

/** There, and back to the namespace held by `home`; where there is no way back, the process ends. */
export function visitProgram({ enter, items, buffers }: Visit, home: Argument): SyscallProgram {
  return {
    items: [
      enter, // where this fails, there is no way to come back from
      { onFailure: { goto: "home" } },
      ...items,
      { label: "home" },
      { onFailure: "abort" },
      { call: "setns", args: [home, CLONE_NEWNET], operation: "return to", subject: "the host's network namespace" },
    ],
    ...(buffers ? { buffers } : {}),
  };
}

/** A new network namespace, open as the result "namespace", its parameters written, its sockets open. */
export function newNamespaceVisit({ sysctls, sockets }: NetworkNamespaceOptions): Visit {
  const enter: Call = { call: "unshare", args: [CLONE_NEWNET], operation: "make", subject: "a network namespace" };
  const items = [
    // /proc/sys/net is the namespace of whoever looks it up, so it is the new one here (proc_sysctl.c).
    ...sysctls.flatMap(sysctlItems),
    openItem(OWN_NAMESPACE, "namespace"),
    ...sockets.flatMap(socketItems),
  ];
  return { enter, items, buffers: formerBuffers(sysctls) };
}

function openItem(path: string, name: string): Call {
  const args = [AT_FDCWD, { text: path }, O_RDONLY | O_CLOEXEC, 0];
  return { call: "openat", args, as: name, operation: "open", subject: path };
}

/** Reads a parameter into the buffer of its path, and writes it. */
export function sysctlItems({ path, value, optional = false }: NamespaceSysctl): Item[] {
  const name = `sysctl ${path}`;
  const bytes = new TextEncoder().encode(value);
  const open: Call = {
    call: "openat",
    args: [AT_FDCWD, { text: path }, O_RDWR | O_CLOEXEC, 0],
    as: name,
    operation: "open",
    subject: path,
    ...(optional ? { onError: `${name} done` } : {}),
  };
  const file = { result: name };
  const about = { operation: `write "${value}" to`, subject: path };
  return [
    open,
    // At offset 0 both times: a write elsewhere changes nothing (sysctl_writes_strict).
    { call: "pread64", args: [file, { buffer: path }, FORMER_BYTES, 0], operation: "read", subject: path },
    { call: "pwrite64", args: [file, { bytes }, bytes.length, 0], expect: bytes.length, ...about },
    { call: "close", args: [file], operation: "close", subject: path },
    { label: `${name} done` },
  ];
}

const SOCK_CLOEXEC = 0o2000000;

/** Opens a socket as the result of its name. */
export function socketItems({ name, family, type, protocol, bind, listen }: NamespaceSocket): Item[] {
  const subject = `the ${name} socket`;
  const items: Item[] = [
    { call: "socket", args: [family, type | SOCK_CLOEXEC, protocol], as: name, operation: "open", subject },
  ];
  const socket = { result: name };
  if (bind) {
    items.push({ call: "bind", args: [socket, { bytes: bind }, bind.length], operation: "bind", subject });
  }
  if (listen !== undefined) {
    items.push({ call: "listen", args: [socket, listen], operation: "listen on", subject });
  }
  return items;
}
