/**
 * What `scripts/build` puts into the executable (it generates dist/generated/*.ts; see scripts/prepare_embedded.ts).
 * Both modules cost nothing until they are imported, and the files nothing until they are read.
 */
declare module "#busybox" {
  /** The built-in root filesystem, from Debian's busybox-static. */
  export const busybox: {
    /** sha256 (64 hex digits) of the binary and of the layout below: names the unpacked directory. */
    readonly id: string;
    /** Where node:fs finds the binary of /bin/busybox: a path inside the executable, to read and to copy from. */
    readonly file: string;
    /** The binary's size in bytes. */
    readonly size: number;
    /** Links to make to /bin/busybox, one path a line, relative to the root, without bin/busybox itself. */
    readonly applets: string;
    /** Directories in the order to make them, one "MODE PATH" a line, mode in octal, path relative to the root. */
    readonly directories: string;
    /** Small files of /etc: path relative to the root, mode, content. */
    files(): { path: string; mode: number; text: string }[];
  };
}

declare module "#programs" {
  /** The programs that are assembled at build time (scripts/prepare_programs.ts): of src/container/plain_plan.ts, */
  export const plainChildImage: import("../ffi/image.ts").ProgramImage;
  /** of src/container/supervise.ts, */
  export const catchSignalsImage: import("../ffi/image.ts").ProgramImage;
  /** of src/network/container_namespace.ts. */
  export const containerNamespaceImage: import("../ffi/image.ts").ProgramImage;
}

declare module "#tini" {
  /** The init of `--init`: sha256 of the binary, and where node:fs finds it inside the executable. */
  export const tini: { readonly id: string; readonly file: string };
}

declare module "#licenses" {
  /** The licence texts and the source offer that `version --licenses` prints; `file` is a path for node:fs. */
  export const licenses: { readonly file: string };
}

/** The version of package.json. These three are defined by `scripts/build` alone: ask `typeof` first. */
declare const SKDOCKER_VERSION: string;
/** The commit built from, with "-dirty" when the tree held changes. */
declare const SKDOCKER_COMMIT: string;
/** True in the test-only build, in which a step can be made to fail. */
declare const SKDOCKER_FAULTS: boolean;
