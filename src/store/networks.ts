/**
 * What networks shall be, and which address a container's name had: the intent, kept under the data root.
 *
 * A network is a file, written beside and renamed, synced to disk: a range chosen once stays. A former address is a
 * symbolic link, NAME → "IP MAC", made whole or not at all; losing one costs nobody anything.
 */
import { isKernelError } from "../../ffi/errno.ts";
import { makeDirectories, removeIfEmpty } from "../kernel/directories.ts";
import { readText, removeFile, replaceFile } from "../kernel/files.ts";
import { linkBeside, readLink, replaceLink } from "./links.ts";
import type { Paths } from "./paths.ts";

/** A network as it was decided to be. */
export interface NetworkIntent {
  readonly name: string;
  readonly driver: "bridge" | "ptp";
  /** `172.16.0.0/16` */
  readonly subnet: string;
  readonly gateway: string;
  /** The bridge's link and its fixed address; null for ptp. */
  readonly link: string | null;
  readonly mac: string | null;
}

/** A network's intent; `undefined` where it was never made. */
export function readNetwork(paths: Paths, name: string): NetworkIntent | undefined {
  return readJson(paths.networkIntent(name)) as NetworkIntent | undefined;
}

/** Records a network for good. */
export function writeNetwork(paths: Paths, intent: NetworkIntent): void {
  const path = paths.networkIntent(intent.name);
  makeDirectories(paths.networkIntents, { mode: 0o711 });
  try {
    replaceFile(path, JSON.stringify(intent) + "\n", { durable: true });
  } catch (error) {
    removeIfEmpty(paths.networkIntents); // the disk is full
    throw error;
  }
}

/** The content of a JSON file; `undefined` where there is none. */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readText(path));
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** What a name had on a network. */
export interface FormerAddress {
  readonly ip: string;
  readonly mac: string;
}

/** What the name had when it was last on the network. */
export function readFormerAddress(paths: Paths, network: string, name: string): FormerAddress | undefined {
  const [ip, mac] = readLink(paths.formerAddress(network, name))?.split(" ") ?? [];
  return ip === undefined || mac === undefined ? undefined : { ip, mac };
}

/** Remembers what a name has, for the next container of that name. */
export function rememberAddress(
  paths: Paths,
  network: string,
  former: FormerAddress & { readonly name: string },
): void {
  const path = paths.formerAddress(network, former.name);
  const text = `${former.ip} ${former.mac}`;
  if (readLink(path) === text) return;
  replaceLink(path, text);
}

/** Removes what {@link rememberAddress} leaves behind where it is killed halfway; the name must be the caller's. */
export function forgetHalfRemembered(paths: Paths, network: string, name: string): void {
  removeFile(linkBeside(paths.formerAddress(network, name)));
}
