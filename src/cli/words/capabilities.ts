import type { CapabilityWord } from "../../container/request.ts";
import {
  CAPABILITY_COUNT,
  capabilityNames,
  parseCapability as parseKernelCapability,
} from "../../kernel/capabilities.ts";
import { didYouMean } from "../suggest.ts";
import { invalidArgument } from "./invalid.ts";

/** A capability as people write it (`net_admin`, `CAP_NET_ADMIN`, `all`) in the kernel's spelling without CAP_. */
export function parseCapability(text: string, flag: "--cap-add" | "--cap-drop"): CapabilityWord {
  if (text.toUpperCase() === "ALL") return "ALL";
  const capability = parseKernelCapability(text);
  if (capability !== undefined) return capability;
  const known = capabilityNames((1n << BigInt(CAPABILITY_COUNT)) - 1n);
  const hint = didYouMean(text.toUpperCase().replace(/^CAP_/, ""), known);
  throw invalidArgument(`it is not a capability${hint}`, { flag, text });
}
