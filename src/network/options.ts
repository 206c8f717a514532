/** What a person may ask of a container's network: words checked one by one, nothing looked up yet. Pure. */

/** `--network`: the driver, or the namespace to join. */
export type NetworkMode =
  | { readonly kind: "bridge" }
  /** A namespace of its own with nothing but lo, which `lo=down` leaves down. */
  | { readonly kind: "none"; readonly loopback: "up" | "down" }
  | { readonly kind: "host" }
  /** A routed veth pair without a bridge; `gateway=off`: no default route, `masquerade=off`: no way outside. */
  | { readonly kind: "ptp"; readonly gateway: boolean; readonly masquerade: boolean }
  /** The namespace of a container, given by name, id or the beginning of its id. */
  | { readonly kind: "container"; readonly container: string }
  /** The namespace that a file (absolute path) refers to, such as /run/netns/blue. */
  | { readonly kind: "ns"; readonly path: string };

/** A line of the container's /etc/hosts; `host-gateway` stands for the host's address on the network. */
export interface HostRequest {
  readonly name: string;
  readonly address: string;
}

/** Everything `run` takes about the network. */
export interface NetworkOptions {
  readonly mode: NetworkMode;
  /** Dotted IPv4 address; null lets the network choose. */
  readonly ip: string | null;
  /** `02:53:ac:10:00:02`, unicast, in lower case; null lets the network choose. */
  readonly mac: string | null;
  /** Name servers' addresses; empty means the host's own; `"none"` leaves the container's file alone. */
  readonly dns: readonly string[] | "none";
  /** Search domains; `["."]` means none, empty means the host's. */
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly addHosts: readonly HostRequest[];
}
