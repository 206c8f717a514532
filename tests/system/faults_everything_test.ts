/**
 * Every step of a start that has something of everything, on a terminal and in a directory of the host, is made to
 * fail, one after the other: each time one sentence names it, the terminal is as it was, and so are host and directory.
 */
import { test } from "bun:test";
import { failEveryStep } from "../lab/fault_steps.ts";
import { everything, MODES } from "../lab/fault_world.ts";

test.each(MODES)("every step of a start on %s", (mode) => failEveryStep((world) => everything(world, mode)), 300_000);
