/** What a container whose supervisor was killed can leave of a network: a link that its namespace still holds, elements. */
import { isKernelError } from "../../ffi/errno.ts";
import { deleteLink } from "../kernel/netlink/link.ts";
import { getTable } from "../kernel/nftables/dump.ts";
import type { AttachmentRecord } from "../store/containers.ts";
import { planPtpDetach } from "./ptp_plan.ts";
import { BRIDGE_LINK, BRIDGE_NETWORK } from "./bridge.ts";
import { NetworkExecutor } from "./execute.ts";
import { FIREWALL } from "./firewall_plan.ts";
import { findLink } from "./observe.ts";

/** Removes them. What is gone already is no error. */
export function removeLeftovers(attachment: AttachmentRecord): void {
  using executor = new NetworkExecutor(() => "go");
  const { hostLink, network } = attachment;
  const bridge = network === BRIDGE_NETWORK ? BRIDGE_LINK : null;
  const link = findLink(executor.host, hostLink);
  if (link?.kind === "veth") {
    try {
      executor.host.transact([deleteLink(link.index)]);
    } catch (error) {
      if (!isKernelError(error, "ENODEV")) throw error; // its namespace has just ended
    }
  }
  if (bridge === null && getTable(executor.nft, FIREWALL)) executor.run(planPtpDetach(attachment));
  executor.keep();
}
