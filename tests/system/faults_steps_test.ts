/**
 * Every step that a start announces is made to fail, one after the other: each time one sentence names it, and the
 * host is as before, while another container runs on the same bridge and notices nothing.
 */
import { test } from "bun:test";
import { failEveryStep } from "../lab/fault_steps.ts";
import { MODES, plain } from "../lab/fault_world.ts";

test.each(MODES)("every step of a start on %s", (mode) => failEveryStep((world) => plain(world, mode)), 300_000);
