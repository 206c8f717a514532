/** What killed supervisors left: found by every command that runs containers or shows or changes networks. */
import { takeDeadRecords } from "../store/containers.ts";
import type { Paths } from "../store/paths.ts";

/** Ends and clears away dead containers; costs next to nothing where there are none. */
export async function clearDead(paths: Paths): Promise<void> {
  const dead = takeDeadRecords(paths);
  if (dead.length === 0) return;
  const { clearAway } = await import("./sweep.ts");
  clearAway(paths, dead);
}
