/** What killed supervisors left: found by every command that runs containers or shows or changes networks. */
import { pathStatus } from "../kernel/files.ts";
import { takeDeadRecords } from "../store/containers.ts";
import type { Paths } from "../store/paths.ts";

/** Ends and clears away dead containers; costs next to nothing where there are none. */
export async function clearDead(paths: Paths): Promise<void> {
  const dead = takeDeadRecords(paths);
  if (dead ? dead.length === 0 : !pathStatus(paths.containerDataDirectory)) return;
  const { clearAfterBoot, clearAway } = await import("./sweep.ts");
  if (dead) clearAway(paths, dead);
  else clearAfterBoot(paths);
}
