import { defineCommand } from "../command.ts";
import { RUN_FLAGS } from "../run_flags.ts";
import { runAsked } from "../run_asked.ts";

/** @public Required when it is asked for (commands.ts), which the check for unused exports does not see. */
export const run = defineCommand({
  name: "run",
  group: "Common Commands",
  summary: "Create and run a new container",
  description: "Runs COMMAND in a new container. Its root file system is the busybox inside skdocker, or the " +
    "directory ROOTFS, used in place: what the container writes there stays.\n\n" +
    "The container runs in the foreground and ends with skdocker. In this version it is removed when it ends, with " +
    "--rm or without.\n\n" +
    "NETWORK is bridge, ptp (a link to the host alone), none, host, container:NAME or ns:PATH. Options follow a " +
    "comma: bridge,ip=IP, none,lo=down, ptp,gateway=off,masquerade=off.",
  usage: "[OPTIONS] ROOTFS|busybox [COMMAND] [ARG...]",
  flags: RUN_FLAGS,
  arity: { least: 0, most: Infinity },
  flagsFirst: true,
  needsRoot: true,
  completes: ["busybox"],
  examples: [
    { line: "skdocker run --rm -it busybox sh", says: "A shell on the bridge" },
    { line: "skdocker run --rm -v ./src:/src:ro -w /src ./rootfs ls", says: "A directory of the host, read-only" },
    { line: "skdocker run --rm --network none,lo=down busybox ip addr", says: "No network at all" },
    { line: "skdocker run --rm --dry-run busybox true", says: "What would be done, as commands" },
  ],
  run: ({ values, positionals, globals }) => runAsked(values, positionals, { globals }),
});
