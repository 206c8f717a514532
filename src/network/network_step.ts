/**
 * What is done to a network, step by step: pure data. One step is one command line of `--explain`, one message to
 * the kernel or one write, and one point at which the test build can make a start fail.
 */
import type { NftOperation } from "../kernel/nftables/operation.ts";
import type { Mac } from "../kernel/mac.ts";
import type { LinkFlag } from "../kernel/netlink/link.ts";

/** Whose namespace a step works in. */
export type Side = "host" | "container";

/** Why: steps of the same purpose are printed under one line. */
export type NetworkPurpose =
  | "bridge"
  | "harden"
  | "forward"
  | "firewall"
  | "namespace"
  | "pair"
  | "address"
  | "route"
  | "neighbour"
  | "docker"
  | "resolver"
  | "undo";

/** The part of every step. */
interface Purposeful {
  readonly purpose: NetworkPurpose;
}

/** What can be changed on a link by one command. */
export interface LinkSettings {
  readonly up?: boolean;
  readonly alias?: string;
  readonly mtu?: number;
  readonly address?: Mac;
  /** Name of the bridge. */
  readonly master?: string;
  readonly hairpin?: boolean;
  /** `arp`, `multicast`, …, by ip-link(8)'s words. */
  readonly flags?: Readonly<Partial<Record<LinkFlag, boolean>>>;
  readonly queueLength?: number;
  readonly group?: number;
  /** Of a bridge: `ageing_time`, … */
  readonly options?: Readonly<Record<string, number>>;
}

export type NetworkStep =
  & Purposeful
  & (
    /** The container's own namespace; the host holds it by a descriptor. */
    | { readonly do: "add namespace" }
    | { readonly do: "write sysctl"; readonly side: Side; readonly name: string; readonly value: string }
    | { readonly do: "add bridge"; readonly link: string; readonly address: Mac }
    | {
      readonly do: "add veth";
      readonly link: string;
      readonly address: Mac;
      readonly mtu: number;
      /** Name of the bridge; null for ptp. */
      readonly master: string | null;
      /** The other end, in the container's namespace. */
      readonly peer: { readonly link: string; readonly address: Mac };
    }
    | { readonly do: "rename link"; readonly link: string; readonly name: string }
    | { readonly do: "set link"; readonly side: Side; readonly link: string; readonly settings: LinkSettings }
    | { readonly do: "delete link"; readonly side: Side; readonly link: string }
    | {
      readonly do: "add address" | "delete address";
      readonly side: Side;
      readonly link: string;
      /** `172.16.0.1/16` */
      readonly address: string;
    }
    | {
      readonly do: "add route" | "delete route";
      readonly side: Side;
      readonly link: string;
      /** `default` or `172.16.0.2/32` */
      readonly to: string;
      /** Dotted gateway; null for a neighbour on the link. */
      readonly via: string | null;
    }
    | { readonly do: "delete neighbour"; readonly link: string; readonly ip: string }
    | { readonly do: "replace neighbour"; readonly link: string; readonly ip: string; readonly address: Mac }
    | { readonly do: "change firewall"; readonly side: Side; readonly operation: NftOperation }
  );

/** A verb phrase and its object, for errors. */
export function describeStep(step: NetworkStep): { operation: string; subject: string } {
  switch (step.do) {
    case "add namespace":
      return { operation: "make", subject: "a network namespace" };
    case "write sysctl":
      return { operation: `write "${step.value}" to`, subject: step.name };
    case "change firewall": {
      const { operation } = step;
      return { operation: `${operation.verb} in`, subject: "the firewall" };
    }
    case "delete neighbour":
    case "replace neighbour":
      return { operation: step.do, subject: step.ip };
    case "add address":
    case "delete address":
      return { operation: step.do, subject: step.address };
    case "add route":
    case "delete route":
      return { operation: step.do, subject: step.to };
    default:
      return { operation: step.do, subject: step.link };
  }
}
