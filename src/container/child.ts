/** What a container's child is cloned from, whether by its own plan or by the program assembled at build time. */
import type { Child } from "../../ffi/clone.ts";
import type { CallNote } from "../../ffi/image.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import type { PreparedFiles } from "./prepare_files.ts";
import type { RunRequest } from "./request.ts";
import type { SpecProcess } from "./spec.ts";
import type { ContainerStdio } from "./stdio.ts";

/** All that a child is made of. */
export interface ReadyContainer {
  readonly request: RunRequest;
  /** What `--explain` calls it. */
  readonly name: string;
  readonly hostname: string;
  /** The namespace to join; null for the host's. */
  readonly network: Descriptor | null;
  readonly files: PreparedFiles;
  readonly stdio: ContainerStdio;
  /** The hard limit of open files; null where there is none. */
  readonly openFiles: number | null;
  /** Version 2's control group, for the child to be born in; undefined without one. */
  readonly birthplace: Descriptor | undefined;
}

/** A child that is about to be cloned. */
export interface PreparedChild {
  /** Clones it; it waits for its go on `go`. `parentOnly` is what must not live on in it. */
  readonly spawn: (go: number, parentOnly: readonly [number, number]) => Child;
  /** Of the command, for the error where it cannot be executed. */
  readonly process: Pick<SpecProcess, "args" | "env" | "cwd">;
  /** What the program's calls do, where that is kept apart. */
  readonly notes?: () => Promise<readonly CallNote[]>;
}
