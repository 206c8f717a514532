/**
 * Network namespaces, made and entered by native programs.
 *
 * No JavaScript runs in a foreign namespace: the engine starts threads whenever it likes (JIT, garbage
 * collector), and one started in that moment would stay there for good and keep the namespace alive. So leaving,
 * what is to be done there, and coming back are one native call; a socket stays in the namespace where it was
 * opened. If the way back should fail, the process ends at once.
 *
 * The programs must run on the main thread, whose namespace is the process's.
 */
import { errnoNumber, KernelError } from "../../ffi/errno.ts";
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import { failureError, NativeProgram, type ProgramFailure } from "../../ffi/native.ts";
import type { Call, Item, SyscallProgram } from "../../ffi/program.ts";
import { Descriptor } from "./descriptor.ts";
import { fileStatus, openFile } from "./files.ts";
import { CLONE_NEWNET } from "./namespace_flags.ts";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY, O_RDWR } from "./open_flags.ts";

const OWN_NAMESPACE = "/proc/thread-self/ns/net";

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

/** Descriptors of sockets in a namespace, by the names they were asked for. */
export type NamespaceSockets = ReadonlyMap<string, Descriptor>;

/** A network namespace held by a descriptor, with sockets opened inside. */
export interface NetworkNamespace extends Disposable {
  readonly descriptor: Descriptor;
  readonly sockets: NamespaceSockets;
  /** What each parameter was before it was written, by its path; absent where the kernel lacks it. */
  readonly former: ReadonlyMap<string, string>;
}

/** Makes a network namespace, writes its parameters and opens sockets in it; this process stays where it is. */
export function createNetworkNamespace({ sysctls, sockets }: NetworkNamespaceOptions): NetworkNamespace {
  const former = new Map<string, string>();
  const buffers: Record<string, number> = {};
  for (const { path } of sysctls) buffers[path] = FORMER_BYTES;
  const opened = runInside({
    enter: [{
      call: "unshare",
      args: [CLONE_NEWNET],
      operation: "make",
      subject: "a network namespace",
    }],
    items: [
      // /proc/sys/net is the namespace of whoever looks it up, so it is the new one here (proc_sysctl.c).
      ...sysctls.flatMap(sysctlItems),
      openItem(OWN_NAMESPACE, "namespace"),
      ...sockets.flatMap(socketItems),
    ],
    descriptors: ["namespace", ...sockets.map(({ name }) => name)],
    buffers,
    done: (native) => readFormer(native, sysctls, former),
  });
  const descriptor = opened.get("namespace") as Descriptor; // it is among the descriptors asked for
  opened.delete("namespace");
  return {
    descriptor,
    sockets: opened,
    former,
    [Symbol.dispose]() {
      for (const socket of opened.values()) socket.close();
      descriptor.close();
    },
  };
}

/** Opens sockets in the network namespace held by `namespace`. */
export function openSocketsIn(namespace: number, sockets: readonly NamespaceSocket[]): NamespaceSockets {
  return inNetworkNamespace(namespace, {
    items: sockets.flatMap(socketItems),
    descriptors: sockets.map((s) => s.name),
  });
}

/** Writes kernel parameters of the network namespace held by `namespace`. Returns what each was before, by its path. */
export function writeSysctlsIn(namespace: number, sysctls: readonly NamespaceSysctl[]): ReadonlyMap<string, string> {
  const former = new Map<string, string>();
  const buffers: Record<string, number> = {};
  for (const { path } of sysctls) buffers[path] = FORMER_BYTES;
  inNetworkNamespace(namespace, {
    items: sysctls.flatMap(sysctlItems),
    descriptors: [],
    buffers,
    done: (native) => readFormer(native, sysctls, former),
  });
  return former;
}

function readFormer(native: NativeProgram, sysctls: readonly NamespaceSysctl[], former: Map<string, string>): void {
  const decoder = new TextDecoder("latin1");
  for (const { path } of sysctls) {
    const text = decoder.decode(native.buffer(path));
    const end = text.indexOf("\n");
    if (end > 0) former.set(path, text.slice(0, end));
  }
}

/** What the text of a parameter that is a number takes at most, as it is read before it is written. */
const FORMER_BYTES = 16;

/** What {@link inNetworkNamespace} does inside. */
export interface InsideProgram {
  readonly items: readonly Item[];
  readonly buffers?: SyscallProgram["buffers"];
  /** Names of calls whose results are descriptors: handed out on success, closed on failure. */
  readonly descriptors: readonly string[];
  /** Called after coming back from a success, while the program's memory is there. */
  readonly done?: (native: NativeProgram) => void;
}

/**
 * Runs system calls in the network namespace held by the descriptor `namespace` and comes back, in one native
 * call. Throws the KernelError of the call that failed, after coming back.
 */
export function inNetworkNamespace(namespace: number, program: InsideProgram): Map<string, Descriptor> {
  const enter: Call = {
    call: "setns",
    args: [namespace, CLONE_NEWNET],
    operation: "enter",
    subject: "a network namespace",
  };
  return runInside({ ...program, enter: [enter] });
}

function runInside(
  { enter, items, buffers, descriptors, done }: InsideProgram & { readonly enter: Item[] },
): Map<string, Descriptor> {
  using home = openFile(OWN_NAMESPACE);
  using native = new NativeProgram({
    items: [
      ...enter, // where this fails, there is no way to come back from
      { onFailure: { goto: "home" } },
      ...items,
      { label: "home" },
      { onFailure: "abort" },
      { call: "setns", args: [home.fd, CLONE_NEWNET], operation: "return to", subject: "the host's network namespace" },
    ],
    ...(buffers ? { buffers } : {}),
  });
  native.run();
  const failure = native.failure();
  const opened = new Map<string, Descriptor>();
  for (const name of descriptors) {
    const fd = native.result(name);
    if (fd > 2) opened.set(name, new Descriptor(fd)); // 0 stands for a call that was not reached
  }
  if (!failure) {
    done?.(native);
    return opened;
  }
  for (const descriptor of opened.values()) descriptor.close();
  closeLeft(native, failure, descriptors);
  throw failureError(failure);
}

/** What a failing call was at work on (a parameter's file, say) has no one left to close it. */
function closeLeft(
  native: NativeProgram,
  { call: { on, operation } }: ProgramFailure,
  handedOut: readonly string[],
): void {
  if (on !== undefined && operation !== "close" && !handedOut.includes(on)) syscall("close", native.result(on));
}

function openItem(path: string, name: string): Call {
  const args = [AT_FDCWD, { text: path }, O_RDONLY | O_CLOEXEC, 0];
  return { call: "openat", args, as: name, operation: "open", subject: path };
}

let labels = 0;

function sysctlItems({ path, value, optional = false }: NamespaceSysctl): Item[] {
  const name = `sysctl ${path} ${labels++}`;
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

function socketItems({ name, family, type, protocol, bind, listen }: NamespaceSocket): Item[] {
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

/** Opens the network namespace of a path: /proc/PID/ns/net, or a file that one is bound to. */
export function openNetworkNamespace(path: string): Descriptor {
  const descriptor = openFile(path);
  // ioctl_ns(2): NS_GET_NSTYPE, _IO(0xb7, 3)
  const type = syscall("ioctl", descriptor.fd, 0xb703);
  if (type === CLONE_NEWNET) return descriptor;
  descriptor.close();
  throw new KernelError({ operation: "use as a network namespace", subject: path, errno: errnoNumber("EINVAL") });
}

/** The inode of a namespace: unique among those that live, used again as soon as one has ended. */
export function namespaceInode(namespace: number): number {
  return fileStatus(namespace).inode;
}

// include/uapi/asm-generic/socket.h
const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;

/**
 * The cookie of the network namespace a socket was opened in: never used again until the machine restarts.
 * ENOPROTOOPT before Linux 5.14.
 */
export function networkNamespaceCookie(socket: number): bigint {
  const cookie = new Uint8Array(8);
  const size = new Uint8Array([8, 0, 0, 0]);
  const result = syscall("getsockopt", socket, SOL_SOCKET, SO_NETNS_COOKIE, addressOf(cookie), addressOf(size));
  check(result, { operation: "read the cookie of", subject: "a network namespace" });
  return new DataView(cookie.buffer).getBigUint64(0, true);
}
