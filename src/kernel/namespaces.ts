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
import { type CallNote, notesOf, type ProgramImage } from "../../ffi/image.ts";
import { failureError, mapImage, NativeProgram, type ProgramFailure, programsAreObserved } from "../../ffi/native.ts";
import type { Call, Item, SyscallProgram } from "../../ffi/program.ts";
import { Descriptor } from "./descriptor.ts";
import { fileStatus } from "./file_status.ts";
import { openFile } from "./files.ts";
import { CLONE_NEWNET } from "./namespace_flags.ts";
import {
  formerBuffers,
  type NamespaceSocket,
  type NamespaceSysctl,
  type NetworkNamespaceOptions,
  newNamespaceVisit,
  OWN_NAMESPACE,
  socketItems,
  sysctlItems,
  visitProgram,
} from "./namespace_plan.ts";

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
export function createNetworkNamespace(options: NetworkNamespaceOptions): NetworkNamespace {
  using home = openFile(OWN_NAMESPACE);
  using native = new NativeProgram(visitProgram(newNamespaceVisit(options), home.fd));
  return namespaceMadeBy(native, options);
}

/** The parameter of an image of {@link newNamespaceVisit} that says where to come back to. */
export const HOME = "home";

/**
 * As {@link createNetworkNamespace}, by a program that was assembled at build time for these very options. `undefined`
 * where that cannot be had.
 */
export function createNamespaceByImage(
  options: NetworkNamespaceOptions,
  image: ProgramImage,
): NetworkNamespace | undefined {
  if (programsAreObserved()) return undefined;
  using native = mapImage(image);
  if (!native) return undefined;
  using home = openFile(OWN_NAMESPACE);
  native.set(HOME, home.fd);
  return namespaceMadeBy(native, options);
}

function namespaceMadeBy(native: NativeProgram, options: NetworkNamespaceOptions): NetworkNamespace {
  const names = ["namespace"];
  for (const { name } of options.sockets) names.push(name);
  const notes = () => notesOf(visitProgram(newNamespaceVisit(options), { param: HOME }));
  const opened = runVisit(native, { descriptors: names, notes });
  const descriptor = opened.get("namespace") as Descriptor; // it is among the descriptors asked for
  opened.delete("namespace");
  return {
    descriptor,
    sockets: opened,
    former: readFormer(native, options.sysctls),
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
  using home = openFile(OWN_NAMESPACE);
  const visit = { enter: enterItem(namespace), items: sysctls.flatMap(sysctlItems), buffers: formerBuffers(sysctls) };
  using native = new NativeProgram(visitProgram(visit, home.fd));
  runVisit(native, { descriptors: [] });
  return readFormer(native, sysctls);
}

function readFormer(native: NativeProgram, sysctls: readonly NamespaceSysctl[]): Map<string, string> {
  const former = new Map<string, string>();
  for (const { path } of sysctls) {
    const text = readCString(native.buffer(path));
    const end = text.indexOf("\n");
    if (end > 0) former.set(path, text.slice(0, end));
  }
  return former;
}

/** Text of few characters: a decoder would cost more to make. */
function readCString(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length && bytes[i] !== 0; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

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
  using home = openFile(OWN_NAMESPACE);
  using native = new NativeProgram(visitProgram({ ...program, enter: enterItem(namespace) }, home.fd));
  return runVisit(native, program);
}

function enterItem(namespace: number): Call {
  return { call: "setns", args: [namespace, CLONE_NEWNET], operation: "enter", subject: "a network namespace" };
}

/** Runs a visit; `notes` tells of its calls where the program does not know them itself. */
function runVisit(
  native: NativeProgram,
  { descriptors, notes }: { descriptors: readonly string[]; notes?: () => readonly CallNote[] },
): Map<string, Descriptor> {
  native.run();
  const failure = native.failure();
  const opened = new Map<string, Descriptor>();
  for (const name of descriptors) {
    const fd = native.result(name);
    if (fd > 2) opened.set(name, new Descriptor(fd)); // 0 stands for a call that was not reached
  }
  if (!failure) return opened;
  for (const descriptor of opened.values()) descriptor.close();
  const told = { ...failure, call: notes?.()[failure.index] ?? failure.call };
  closeLeft(native, told, descriptors);
  throw failureError(told);
}

/** What a failing call was at work on (a parameter's file, say) has no one left to close it. */
function closeLeft(
  native: NativeProgram,
  { call: { on, operation } }: ProgramFailure,
  handedOut: readonly string[],
): void {
  if (on !== undefined && operation !== "close" && !handedOut.includes(on)) syscall("close", native.result(on));
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
