import { defineCommand } from "../command.ts";
import { RUN_FLAGS } from "../run_flags.ts";
import { runAsked } from "../run_asked.ts";

export const run = defineCommand({
  name: "run",
  group: "Common Commands",
  summary: "Create and run a new container",
  description: "Runs COMMAND in a new container whose root file system is the built-in busybox, or the\n" +
    "directory ROOTFS, which is used in place: what the container writes there stays.\n\n" +
    "The container runs in the foreground and ends with skdocker. In this version it is always\n" +
    "removed when it ends, with --rm or without.",
  usage: "[OPTIONS] ROOTFS|busybox [COMMAND] [ARG...]",
  flags: RUN_FLAGS,
  arity: { least: 0, most: Infinity },
  flagsFirst: true,
  needsRoot: true,
  completes: ["busybox"],
  examples: [
    { line: "skdocker run --rm -it busybox sh", says: "A shell on the bridge" },
    { line: "skdocker run --rm --network none,lo=down ./rootfs ip addr", says: "No network at all" },
    { line: "skdocker run --rm --dry-run busybox true", says: "What would be done, as commands" },
  ],
  run: ({ values, positionals, globals }) => runAsked(values, positionals, { globals }),
});
