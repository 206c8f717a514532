/** What the plain program, made at build time, and those who fill it in agree on. Pure. */

/** The files made for every container, in the order in which they are mounted. */
export const PLAIN_FILES: readonly string[] = ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"];

/** How many directories of PATH are tried. A shorter PATH has its last one tried again. */
export const PLAIN_ATTEMPTS = 6;

/** Bytes of the buffers that are filled in; the soft limit of open files. */
export const PLAIN_LIMITS = { text: 512, vectors: 16384, openFiles: 1024 } as const;
