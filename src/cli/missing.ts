/** What this kernel lacks, told from its refusal: errors that mean nothing to whoever cannot read errnos. */
import { isKernelError } from "../../ffi/errno.ts";

/** The end of the sentence for an error of the kernel's, or undefined where it says enough itself. */
export function missingFeature(error: unknown): string | undefined {
  if (isKernelError(error, "ENODEV")) {
    const filesystem = /^mount "(\w+)"/.exec(error.operation)?.[1];
    return filesystem && `this kernel has no ${filesystem} file system, is the module "${filesystem}" there?`;
  }
  if (isKernelError(error, "EOPNOTSUPP") && error.operation === "make link") {
    const kind = error.subject.startsWith("veth") ? "veth" : "bridge";
    return `this kernel has no ${kind} links, is the module "${kind}" there?`;
  }
  if (isKernelError(error, "EINVAL") && error.operation === "change the root to") {
    return "is the host's own root the initial ramfs? pivot_root(2) cannot leave that";
  }
  if (isKernelError(error, "EACCES") && error.subject === "an executable file in memory") {
    return "containers of files that are not skdocker's own need one, set the sysctl vm.memfd_noexec to 0 or 1";
  }
  const filters = /\b(table|chain|rule|set|map|element)$|netfilter|nftables/;
  if (isKernelError(error, "EOPNOTSUPP", "EPROTONOSUPPORT") && filters.test(`${error.subject} ${error.operation}`)) {
    return 'this kernel has no nf_tables, is the module "nf_tables" there?';
  }
  // Overlayfs's "volatile" is the newest of what every start needs, close_range(2) the newest of its calls.
  return isKernelError(error, "ENOSYS") ? "this kernel is too old, Linux 5.10 is needed" : undefined;
}
