/**
 * Every system call of skdocker itself, and of its programs in other namespaces, is made to fail during a start that
 * has something of everything: every write of its state, everything that is made, every undo. Every other one here.
 */
import { test } from "bun:test";
import { failEverySystemCall } from "../lab/fault_calls.ts";
import { everything } from "../lab/fault_world.ts";

test("with something of everything, on a terminal and in a directory of the host", () => {
  return failEverySystemCall((world) => everything(world, "bridge"), { share: [1, 2] });
}, 300_000);
