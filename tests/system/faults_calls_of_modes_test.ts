/**
 * Every system call of skdocker itself, and of its programs in other namespaces, is made to fail during starts on other networks:
 * every write of its state, everything that is made, every undo.
 */
import { test } from "bun:test";
import { failEverySystemCall } from "../lab/fault_calls.ts";
import { plain } from "../lab/fault_world.ts";

test.each(["ptp", "none", "host", "container:other"] as const)("on %s", (mode) => {
  return failEverySystemCall((world) => plain(world, mode));
}, 300_000);
