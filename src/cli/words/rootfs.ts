import type { RootfsRequest } from "../../container/request.ts";
import { UserError } from "../../user_error.ts";
import { didYouMean } from "../suggest.ts";
import { absolutePath } from "./path.ts";

/** Whether a word names a directory in the current one. */
export type IsDirectory = (name: string) => boolean;

/**
 * What a word in the place of a root file system means: with a `/` or a leading `.` a directory (which need
 * not exist: the run itself says so), `busybox` the built-in, else a directory of that name.
 */
export function readRootfsWord(word: string, isDirectory: IsDirectory): RootfsRequest | undefined {
  if (word === "") return undefined;
  if (word.includes("/") || word.startsWith(".")) return { kind: "directory", path: absolutePath(word) };
  if (word === "busybox") return { kind: "busybox" };
  return isDirectory(word) ? { kind: "directory", path: absolutePath(word) } : undefined;
}

/** The same, refusing what is none of them. */
export function rootfsFromWord(word: string, isDirectory: IsDirectory): RootfsRequest {
  const rootfs = readRootfsWord(word, isDirectory);
  if (rootfs !== undefined) return rootfs;
  const hint = didYouMean(word, ["busybox"]) || " (images are not supported yet)";
  throw new UserError(`${JSON.stringify(word)} is neither busybox nor a directory${hint}`);
}
