/** What killed supervisors left: found by every command that runs containers or shows or changes networks. */
import { pathStatus } from "../kernel/file_status.ts";
import { takeDeadRecords } from "../store/containers.ts";
import type { Paths } from "../store/paths.ts";

/**
 * Ends and clears away dead containers; costs next to nothing where there are none. What cannot be cleared away stays
 * on record for the next command, is told, and keeps nobody from what was asked for.
 */
export async function clearDead(paths: Paths, warn: (error: Error) => void): Promise<void> {
  const dead = takeDeadRecords(paths);
  if (dead ? dead.length === 0 : !pathStatus(paths.containerDataDirectory)) return;
  const { clearAfterBoot, clearAway } = await import("./sweep.ts");
  if (dead) clearAway(paths, { dead, warn });
  else clearAfterBoot(paths);
}
