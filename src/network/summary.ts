/** What `skdocker info` says of skdocker itself: its containers, its bridge, where its files are. */
import { listContainers } from "../store/containers.ts";
import { readNetwork } from "../store/networks.ts";
import type { Paths } from "../store/paths.ts";
import { BRIDGE_NETWORK } from "./bridge.ts";

/** As plain values. */
export function summary(paths: Paths): Record<string, unknown> {
  const bridge = readNetwork(paths, BRIDGE_NETWORK);
  return {
    containers: listContainers(paths).length,
    bridge: bridge ? `${bridge.link} ${bridge.subnet}` : "not made yet",
    dataRoot: paths.root,
    runRoot: paths.runRoot,
  };
}
