/** Kernel parameters of links of ours: what they shall be, and the steps that lead there. Pure. */
import type { NetworkStep } from "./network_step.ts";

/** Kernel parameters of a link, as far as they matter here; null where the kernel lacks them. */
export interface LinkParameters {
  readonly [name: string]: string | null;
}

/**
 * What a link of ours must not do. Measured otherwise: one router advertisement of a container takes over the host's
 * default route (CVE-2020-13401). Written while the link is down, so that there is no moment in between.
 */
export function hardenedParameters(link: string): readonly (readonly [name: string, value: string])[] {
  return [
    [`net.ipv6.conf.${link}.accept_ra`, "0"],
    [`net.ipv6.conf.${link}.accept_redirects`, "0"],
    [`net.ipv6.conf.${link}.disable_ipv6`, "1"],
    [`net.ipv4.conf.${link}.accept_redirects`, "0"],
    [`net.ipv4.conf.${link}.send_redirects`, "0"],
  ];
}

/** Steps for the parameters that are not as wanted. A parameter that the kernel lacks (null) is none to write. */
export function parameterSteps(
  wanted: readonly (readonly [name: string, value: string])[],
  observed: LinkParameters,
): NetworkStep[] {
  const steps: NetworkStep[] = [];
  for (const [name, value] of wanted) {
    const current = observed[name];
    if (current === null || current === value) continue;
    steps.push({ do: "write sysctl", purpose: "harden", side: "host", name, value });
  }
  return steps;
}
