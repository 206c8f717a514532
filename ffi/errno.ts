/**
 * Linux errno numbers, names and texts, and the one error that the kernel's refusals become.
 *
 * Numbers: include/uapi/asm-generic/errno-base.h and errno.h (the same on x86-64 and arm64);
 * 524 is the kernel-internal ENOTSUPP that nfnetlink and overlayfs let slip to user space.
 * Texts: strerror(3) of glibc.
 *
 * Name and text of errno n stand at 2n and 2n+1: a flat list, since the engine makes a list of constants at no cost.
 */
// deno-fmt-ignore
const ERRNO = [
  "", "", // 0 is no errno
  "EPERM", "Operation not permitted",
  "ENOENT", "No such file or directory",
  "ESRCH", "No such process",
  "EINTR", "Interrupted system call",
  "EIO", "Input/output error",
  "ENXIO", "No such device or address",
  "E2BIG", "Argument list too long",
  "ENOEXEC", "Exec format error",
  "EBADF", "Bad file descriptor",
  "ECHILD", "No child processes",
  "EAGAIN", "Resource temporarily unavailable",
  "ENOMEM", "Cannot allocate memory",
  "EACCES", "Permission denied",
  "EFAULT", "Bad address",
  "ENOTBLK", "Block device required",
  "EBUSY", "Device or resource busy",
  "EEXIST", "File exists",
  "EXDEV", "Invalid cross-device link",
  "ENODEV", "No such device",
  "ENOTDIR", "Not a directory",
  "EISDIR", "Is a directory",
  "EINVAL", "Invalid argument",
  "ENFILE", "Too many open files in system",
  "EMFILE", "Too many open files",
  "ENOTTY", "Inappropriate ioctl for device",
  "ETXTBSY", "Text file busy",
  "EFBIG", "File too large",
  "ENOSPC", "No space left on device",
  "ESPIPE", "Illegal seek",
  "EROFS", "Read-only file system",
  "EMLINK", "Too many links",
  "EPIPE", "Broken pipe",
  "EDOM", "Numerical argument out of domain",
  "ERANGE", "Numerical result out of range",
  "EDEADLK", "Resource deadlock avoided",
  "ENAMETOOLONG", "File name too long",
  "ENOLCK", "No locks available",
  "ENOSYS", "Function not implemented",
  "ENOTEMPTY", "Directory not empty",
  "ELOOP", "Too many levels of symbolic links",
  "", "", // 41 is no errno
  "ENOMSG", "No message of desired type",
  "EIDRM", "Identifier removed",
  "ECHRNG", "Channel number out of range",
  "EL2NSYNC", "Level 2 not synchronized",
  "EL3HLT", "Level 3 halted",
  "EL3RST", "Level 3 reset",
  "ELNRNG", "Link number out of range",
  "EUNATCH", "Protocol driver not attached",
  "ENOCSI", "No CSI structure available",
  "EL2HLT", "Level 2 halted",
  "EBADE", "Invalid exchange",
  "EBADR", "Invalid request descriptor",
  "EXFULL", "Exchange full",
  "ENOANO", "No anode",
  "EBADRQC", "Invalid request code",
  "EBADSLT", "Invalid slot",
  "", "", // 58 is no errno
  "EBFONT", "Bad font file format",
  "ENOSTR", "Device not a stream",
  "ENODATA", "No data available",
  "ETIME", "Timer expired",
  "ENOSR", "Out of streams resources",
  "ENONET", "Machine is not on the network",
  "ENOPKG", "Package not installed",
  "EREMOTE", "Object is remote",
  "ENOLINK", "Link has been severed",
  "EADV", "Advertise error",
  "ESRMNT", "Srmount error",
  "ECOMM", "Communication error on send",
  "EPROTO", "Protocol error",
  "EMULTIHOP", "Multihop attempted",
  "EDOTDOT", "RFS specific error",
  "EBADMSG", "Bad message",
  "EOVERFLOW", "Value too large for defined data type",
  "ENOTUNIQ", "Name not unique on network",
  "EBADFD", "File descriptor in bad state",
  "EREMCHG", "Remote address changed",
  "ELIBACC", "Can not access a needed shared library",
  "ELIBBAD", "Accessing a corrupted shared library",
  "ELIBSCN", ".lib section in a.out corrupted",
  "ELIBMAX", "Attempting to link in too many shared libraries",
  "ELIBEXEC", "Cannot exec a shared library directly",
  "EILSEQ", "Invalid or incomplete multibyte or wide character",
  "ERESTART", "Interrupted system call should be restarted",
  "ESTRPIPE", "Streams pipe error",
  "EUSERS", "Too many users",
  "ENOTSOCK", "Socket operation on non-socket",
  "EDESTADDRREQ", "Destination address required",
  "EMSGSIZE", "Message too long",
  "EPROTOTYPE", "Protocol wrong type for socket",
  "ENOPROTOOPT", "Protocol not available",
  "EPROTONOSUPPORT", "Protocol not supported",
  "ESOCKTNOSUPPORT", "Socket type not supported",
  "EOPNOTSUPP", "Operation not supported",
  "EPFNOSUPPORT", "Protocol family not supported",
  "EAFNOSUPPORT", "Address family not supported by protocol",
  "EADDRINUSE", "Address already in use",
  "EADDRNOTAVAIL", "Cannot assign requested address",
  "ENETDOWN", "Network is down",
  "ENETUNREACH", "Network is unreachable",
  "ENETRESET", "Network dropped connection on reset",
  "ECONNABORTED", "Software caused connection abort",
  "ECONNRESET", "Connection reset by peer",
  "ENOBUFS", "No buffer space available",
  "EISCONN", "Transport endpoint is already connected",
  "ENOTCONN", "Transport endpoint is not connected",
  "ESHUTDOWN", "Cannot send after transport endpoint shutdown",
  "ETOOMANYREFS", "Too many references: cannot splice",
  "ETIMEDOUT", "Connection timed out",
  "ECONNREFUSED", "Connection refused",
  "EHOSTDOWN", "Host is down",
  "EHOSTUNREACH", "No route to host",
  "EALREADY", "Operation already in progress",
  "EINPROGRESS", "Operation now in progress",
  "ESTALE", "Stale file handle",
  "EUCLEAN", "Structure needs cleaning",
  "ENOTNAM", "Not a XENIX named type file",
  "ENAVAIL", "No XENIX semaphores available",
  "EISNAM", "Is a named type file",
  "EREMOTEIO", "Remote I/O error",
  "EDQUOT", "Disk quota exceeded",
  "ENOMEDIUM", "No medium found",
  "EMEDIUMTYPE", "Wrong medium type",
  "ECANCELED", "Operation canceled",
  "ENOKEY", "Required key not available",
  "EKEYEXPIRED", "Key has expired",
  "EKEYREVOKED", "Key has been revoked",
  "EKEYREJECTED", "Key was rejected by service",
  "EOWNERDEAD", "Owner died",
  "ENOTRECOVERABLE", "State not recoverable",
  "ERFKILL", "Operation not possible due to RF-kill",
] as const;

/** The one that lies apart: include/linux/errno.h. */
const ENOTSUPP = 524;

/** The names alone: texts have spaces, or small letters behind their first one. */
export type ErrnoName = Exclude<Extract<(typeof ERRNO)[number], Uppercase<string>>, ""> | "ENOTSUPP";

/** The name of an errno (`2` → `"ENOENT"`), or `undefined` for a number the kernel does not use. */
export function errnoName(errno: number): ErrnoName | undefined {
  if (errno === ENOTSUPP) return "ENOTSUPP";
  return ERRNO[2 * errno] as ErrnoName | "" | undefined || undefined;
}

/** The number of an errno (`"ENOENT"` → `2`). */
export function errnoNumber(name: ErrnoName): number {
  return name === "ENOTSUPP" ? ENOTSUPP : ERRNO.indexOf(name as (typeof ERRNO)[number]) / 2;
}

/** `EINVAL (Invalid argument)`, or `errno 999` for a number without a name. */
export function errnoText(errno: number): string {
  const name = errnoName(errno);
  if (name === undefined) return `errno ${errno}`;
  return `${name} (${errno === ENOTSUPP ? "Operation is not supported by the kernel" : ERRNO[2 * errno + 1]})`;
}

/** What a refused operation says of itself. */
export interface Refusal {
  /** A verb phrase that follows "Cannot": `mount`, `add address`. */
  readonly operation: string;
  /** What it was done to, as a person would name it: a path, a link, an address. */
  readonly subject: string;
  /** Positive errno. */
  readonly errno: number;
  /** What the kernel itself said (netlink's extended acknowledgement). */
  readonly kernelText?: string | undefined;
}

/** The kernel refused an operation. Callers test `error.code`; only `main` prints the text. */
export class KernelError extends Error {
  readonly operation: string;
  readonly subject: string;
  readonly errno: number;
  /** `"EEXIST"`; `"UNKNOWN"` for a number without a name. */
  readonly code: ErrnoName | "UNKNOWN";
  readonly kernelText: string | undefined;

  constructor(refusal: Refusal) {
    const said = refusal.kernelText ? `: ${refusal.kernelText}` : "";
    super(`Cannot ${refusal.operation} "${refusal.subject}": ${errnoText(refusal.errno)}${said}`);
    this.name = "KernelError";
    this.operation = refusal.operation;
    this.subject = refusal.subject;
    this.errno = refusal.errno;
    this.code = errnoName(refusal.errno) ?? "UNKNOWN";
    this.kernelText = refusal.kernelText;
  }
}

/** Whether `error` is the kernel's refusal with one of these errnos. */
export function isKernelError(error: unknown, ...codes: ErrnoName[]): error is KernelError {
  return error instanceof KernelError && (codes.length === 0 || (codes as string[]).includes(error.code));
}
