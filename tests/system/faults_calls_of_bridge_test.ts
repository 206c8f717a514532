/**
 * Every system call of skdocker itself, and of its programs in other namespaces, is made to fail during a start on the bridge, in its plainest form: that of programs assembled at build time:
 * every write of its state, everything that is made, every undo.
 */
import { test } from "bun:test";
import { failEverySystemCall } from "../lab/fault_calls.ts";
import { plain } from "../lab/fault_world.ts";

test("on the bridge, by the programs that were assembled at build time", () => {
  return failEverySystemCall((world) => plain(world, "bridge"), { env: { SKDOCKER_FAIL_PLAIN: "1" } });
}, 300_000);
