import { pathsOf } from "../../store/paths.ts";
import { UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
import { stepListeners } from "../step_listeners.ts";
import { warn } from "../warn.ts";

export const netReset = defineCommand({
  name: "net reset",
  group: "Commands",
  summary: "Make the network right again, or remove all of it",
  description: "Makes links, addresses, rules and settings what they should be, without stopping a container and " +
    "without breaking its connections. Touches nothing that is not skdocker's.",
  usage: "[OPTIONS]",
  flags: {
    explain: { kind: "boolean", help: "Print each step as the command for it" },
    force: { kind: "boolean", short: "f", help: "With --purge: even while containers run" },
    purge: { kind: "boolean", help: "Leave the host as if skdocker had never been there" },
  },
  arity: { least: 0, most: 0 },
  needsRoot: true,
  examples: [
    { line: "skdocker net reset", says: "After somebody flushed the firewall" },
    { line: "skdocker net reset --purge", says: "Remove bridge, rules and settings" },
  ],
  async run({ values: { purge, force = false, explain = false }, globals }) {
    if (force && !purge) throw new UserError("--force says nothing without --purge");
    const { purgeNetwork, resetNetwork } = await import("../../network/verbs.ts");
    const listeners = (await stepListeners({ explain }))({ explain, container: null });
    const { clearDead } = await import("../../container/dead.ts");
    const listener = listeners.network;
    const paths = pathsOf(globals);
    await clearDead(paths, warn);
    if (purge) await purgeNetwork(paths, { force, listener });
    else await resetNetwork(paths, { listener });
    listeners.finish();
    return 0;
  },
});
