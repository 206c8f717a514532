/** What a routed pair has on the host beside its link. Pure. */
import type { AttachmentRecord } from "../store/containers.ts";
import type { Attaching } from "./attach_plan.ts";
import { ptpElements } from "./firewall_plan.ts";
import type { NetworkStep } from "./network_step.ts";

/** {@link ptpHostSteps} where the attachment is such a pair. */
export function ptpSteps({ attachment, bridge }: Attaching): NetworkStep[] {
  return bridge === null ? ptpHostSteps(attachment) : [];
}

/** What makes the host's end the container's way out, before it is set up. */
export function ptpHostSteps({ hostLink: link, gateway, masquerade }: AttachmentRecord): NetworkStep[] {
  const elements = ptpElements({ link, owner: link, masquerade });
  return [
    {
      do: "write sysctl",
      purpose: "forward",
      side: "host",
      name: `net.ipv4.conf.${link}.forwarding`,
      value: "1",
    },
    { do: "add address", purpose: "address", side: "host", link, address: `${gateway}/32` },
    ...elements.map((operation): NetworkStep => ({
      do: "change firewall",
      purpose: "firewall",
      side: "host",
      operation,
    })),
  ];
}

/** What is to be taken back on the host when a container ends; its links end with its namespace. */
export function planPtpDetach({ hostLink: link, masquerade }: AttachmentRecord): NetworkStep[] {
  return ptpElements({ link, owner: link, masquerade }).map((operation): NetworkStep => ({
    do: "change firewall",
    purpose: "undo",
    side: "host",
    operation: { ...operation, verb: "destroy" } as typeof operation,
  }));
}
