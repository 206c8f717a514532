/**
 * What skdocker has changed of the host itself, so that `net reset --purge` can put it back: RUN/host_changes.json.
 * Written before the change is made: a value that was never changed is put back to what it is.
 */
import { makeDirectories } from "../kernel/directories.ts";
import { removeFile, replaceFile } from "../kernel/files.ts";
import { readJson } from "../store/networks.ts";
import type { Paths } from "../store/paths.ts";

/** Names of kernel parameters with their former values. */
export interface HostChanges {
  readonly sysctls: Readonly<Record<string, string>>;
  /** Whether rules of ours stand in dockerd's DOCKER-USER chain. */
  readonly dockerUser: boolean;
}

/** What has been changed so far. */
export function readHostChanges(paths: Paths): HostChanges {
  return (readJson(paths.hostChanges) ?? { sysctls: {}, dockerUser: false }) as HostChanges;
}

/** Adds to what has been changed; the first value remembered of a parameter is the host's own. */
export function recordHostChanges(paths: Paths, changes: Partial<HostChanges>): void {
  const before = readHostChanges(paths);
  writeHostChanges(paths, {
    sysctls: { ...changes.sysctls, ...before.sysctls },
    dockerUser: before.dockerUser || (changes.dockerUser ?? false),
  });
}

/** Replaces what is recorded; nothing changed is no file. */
export function writeHostChanges(paths: Paths, changes: HostChanges): void {
  if (Object.keys(changes.sysctls).length === 0 && !changes.dockerUser) return forgetHostChanges(paths);
  makeDirectories(paths.runRoot, { mode: 0o711 });
  replaceFile(paths.hostChanges, JSON.stringify(changes) + "\n");
}

/** Forgets all of it: the host is as it was. */
function forgetHostChanges(paths: Paths): void {
  removeFile(paths.hostChanges);
}
