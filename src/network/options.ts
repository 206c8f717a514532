/** What a person may ask of a container's network: words checked one by one, nothing looked up yet. Pure. */

/** `--network`: the driver, or the namespace to join. */
export type NetworkMode =
  | { readonly kind: "bridge" }
  /** A namespace of its own with nothing but lo, which `lo=down` leaves down. */
  | { readonly kind: "none"; readonly loopback: "up" | "down" }
  | { readonly kind: "host" }
  /** A routed veth pair without a bridge; `gateway=off`: no default route, `masquerade=off`: no way outside. */
  | { readonly kind: "ptp"; readonly gateway: boolean; readonly masquerade: boolean }
  | { readonly kind: "container"; readonly nameOrId: string }
  | { readonly kind: "ns"; readonly path: string };

/** `--add-host NAME:ADDRESS`; the address `host-gateway` stands for the network's gateway. */
export interface ExtraHost {
  readonly name: string;
  readonly address: string;
}

/** Everything `run` takes about the network. */
export interface NetworkOptions {
  readonly mode: NetworkMode;
  /** `--ip`, dotted. */
  readonly ip?: string;
  /** `--mac-address`, lower case with colons, unicast. */
  readonly mac?: string;
  /** `--dns`: addresses; `none` leaves the container's own resolv.conf; empty: the host's. */
  readonly dns: readonly string[] | "none";
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly extraHosts: readonly ExtraHost[];
}
