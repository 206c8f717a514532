/**
 * The seccomp filter of every container that is not privileged: what no capability stands before, and no container
 * needs. Everything else is left to namespaces and capabilities. Pure.
 *
 * Source: seccomp(2), include/uapi/linux/seccomp.h, audit.h; what docker's default profile denies.
 */
import { type Machine, type SyscallName, syscallNumber } from "../../ffi/syscalls.ts";
import { assembleBpf, type BpfLine } from "./bpf.ts";
import { type Capability, type CapabilitySet, capabilitySet } from "./capabilities.ts";
import { CLONE_NEWUSER } from "./namespace_flags.ts";

// include/uapi/linux/seccomp.h
const SECCOMP_RET_ALLOW = 0x7fff0000;
const SECCOMP_RET_ERRNO = 0x00050000;
const EPERM = 1;
const ENOSYS = 38;

// struct seccomp_data: nr, arch, instruction_pointer, args[6]; of an argument the low half, which is all that the
// kernel reads of the ints that are looked at here.
const NR = 0;
const ARCH = 4;
const argument = (index: number) => 16 + 8 * index;

/** include/uapi/linux/audit.h */
const AUDIT_ARCH: Readonly<Record<Machine, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };
/** arch/x86/include/uapi/asm/unistd.h: the bit that marks a call of the x32 ABI. */
const X32_SYSCALL_BIT = 0x40000000;

const AF_VSOCK = 40; // include/linux/socket.h
const TIOCSTI = 0x5412; // include/uapi/asm-generic/ioctls.h

/** Refused with EPERM, unless the container has one of these capabilities: then the kernel decides. */
const DENIED: readonly (readonly [name: SyscallName, unless: readonly Capability[]])[] = [
  // The keys of the host's root: keyrings know no namespace, and a new session keyring does not keep them away.
  ["keyctl", []],
  ["add_key", []],
  ["request_key", []],
  ["bpf", ["BPF", "SYS_ADMIN"]],
  ["perf_event_open", ["PERFMON", "SYS_ADMIN"]],
  // Stops the kernel in the middle of a copy: the tool of many an exploit.
  ["userfaultfd", []],
  ["kexec_load", ["SYS_BOOT"]],
  ["kexec_file_load", ["SYS_BOOT"]],
  // Opens any inode of a file system that the container has a part of: the "shocker" exploit.
  ["open_by_handle_at", ["DAC_READ_SEARCH"]],
  // The log of the host's kernel, which without dmesg_restrict is anybody's to read.
  ["syslog", ["SYSLOG", "SYS_ADMIN"]],
  ["io_uring_setup", []],
  ["io_uring_enter", []],
  ["io_uring_register", []],
];

/** What a filter is made for. */
export interface FilterOptions {
  readonly machine: Machine;
  /** The capabilities that the container is granted. */
  readonly capabilities: CapabilitySet;
}

/**
 * The filter, assembled. Calls of another ABI of the same machine (i386, x32, 32-bit ARM) do not exist (ENOSYS):
 * their numbers mean other calls, and socketcall(2) hides its arguments from any filter.
 */
export function seccompFilter({ machine, capabilities }: FilterOptions): Uint8Array {
  const has = (names: readonly Capability[]) => (capabilities & capabilitySet(names)) !== 0n;
  const nr = (name: SyscallName) => syscallNumber(name, machine);
  const goTo = (name: SyscallName, label: string): BpfLine => ({ ifEqual: nr(name), goto: label });
  const namespaces = !has(["SYS_ADMIN"]);
  const lines: BpfLine[] = [
    { load: ARCH },
    { ifEqual: AUDIT_ARCH[machine], goto: "native" },
    { return: SECCOMP_RET_ERRNO | ENOSYS },
    { label: "native" },
    { load: NR },
  ];
  if (machine === "x64") lines.push({ ifAnyOf: X32_SYSCALL_BIT, goto: "missing" });
  for (const [name, unless] of DENIED) if (!has(unless)) lines.push(goTo(name, "denied"));
  if (namespaces) lines.push(goTo("clone", "namespaces"), goTo("unshare", "namespaces"), goTo("clone3", "missing"));
  lines.push(goTo("socket", "family"), goTo("socketpair", "family"), goTo("ioctl", "request"));
  lines.push({ return: SECCOMP_RET_ALLOW });
  if (namespaces) {
    lines.push({ label: "namespaces" }, { load: argument(0) }, { ifAnyOf: CLONE_NEWUSER, goto: "denied" }, {
      return: SECCOMP_RET_ALLOW,
    });
  }
  lines.push(
    // Sockets to the hypervisor and to other guests know no namespace either.
    { label: "family" },
    { load: argument(0) },
    { ifEqual: AF_VSOCK, goto: "denied" },
    { return: SECCOMP_RET_ALLOW },
    // Typing into a terminal as its user.
    { label: "request" },
    { load: argument(1) },
    { ifEqual: TIOCSTI, goto: "denied" },
    { return: SECCOMP_RET_ALLOW },
    { label: "denied" },
    { return: SECCOMP_RET_ERRNO | EPERM },
    // clone3 has its flags in memory, which a filter cannot read; programs fall back to clone.
    { label: "missing" },
    { return: SECCOMP_RET_ERRNO | ENOSYS },
  );
  return assembleBpf(lines);
}
