/** A change of the rules that skdocker itself makes for one container, of which the next start need not know. */
import { readGeneration } from "../kernel/nftables/generation.ts";
import type { NetlinkSocket } from "../kernel/netlink/socket.ts";
import { takeLock } from "../store/lock.ts";
import type { Paths } from "../store/paths.ts";
import { readBridgeState, writeBridgeState } from "./bridge.ts";

/**
 * Makes the change and moves the recorded generation on with it, so that the next start finds the rules as it left them
 * and need not look at everything. Only where nobody else changed a rule before, or in between: every change adds one to
 * the number. The caller holds the network lock, shared.
 */
export function changeOwnElements(nft: NetlinkSocket, paths: Paths, change: () => void): void {
  using _lock = takeLock(paths.stateLock, "exclusive");
  const state = readBridgeState(paths);
  const known = state !== undefined && readGeneration(nft) === state.generation;
  change();
  if (!known) return;
  const generation = state.generation + 1;
  if (readGeneration(nft) === generation) writeBridgeState(paths, { ...state, generation });
}
