/**
 * What somebody may do to a network of skdocker's, one line of sh each, for tests of its repair. PORT is the host's end of a
 * container on the bridge, PTP that of a container with a pair of its own.
 */

/** Where a breakage is typed: on the host, in the container on the bridge, in the one with a pair of its own. */
export type Place = "host" | "bridged" | "paired";

export interface Breakage {
  readonly place: Place;
  readonly command: string;
}

const HOST = `nft delete table inet skdocker
nft flush ruleset
nft delete table inet skdocker-user
nft add chain inet skdocker extra
nft 'chain inet skdocker forward { policy drop; }'
nft add set inet skdocker extra '{ type ipv4_addr; }'
nft add counter inet skdocker extra
nft add table inet skdocker '{ flags dormant; }'
nft delete chain inet skdocker postrouting
nft insert rule inet skdocker forward iifname @routed drop
nft -a list chain inet skdocker forward | sed -n 's/.*@routed drop # handle //p' | xargs nft delete rule inet skdocker forward handle; nft insert rule inet skdocker forward iifname @routed drop
nft add element inet skdocker networks '{ "eth9" }'
nft delete element inet skdocker networks '{ "skbr0" }'
nft delete element inet skdocker masqueraded '{ "PTP" }'
ip link set skbr0 down
ip link set skbr0 mtu 1280
ip link set skbr0 address 02:00:00:00:00:09
ip link set skbr0 type bridge stp_state 1 mcast_snooping 0 ageing_time 100
ip link set skbr0 alias other txqueuelen 5 group 7 promisc on multicast off
ip link set skbr0 arp off
ip link set skbr0 name other0
ip link del skbr0
bridge link set dev PORT isolated on
bridge link set dev PORT learning off
bridge link set dev PORT flood off
bridge link set dev PORT hairpin off
bridge link set dev PORT cost 99
bridge link set dev PORT state 0
ip link set PORT nomaster
ip link set PORT down
ip link set PORT alias other
ip link set PORT arp off
ip link set PORT mtu 1300
ip link set PORT address 02:00:00:00:77:77
ip link set PORT name other1
ip link del PORT
ip address add 10.9.9.9/24 dev PORT
tc qdisc replace dev PORT root pfifo limit 2
ip link set PTP name other2
ip link del PTP
ip link set PTP down
ip link set PTP master skbr0
ip address flush dev PTP
ip address add 10.9.9.9/24 dev PTP
ip route flush dev PTP
ip route add 10.99.0.0/16 dev PTP
sysctl -qw net.ipv4.conf.PTP.forwarding=0 net.ipv4.conf.PTP.accept_redirects=1
ip address flush dev skbr0
ip address flush dev skbr0; ip address add 172.16.9.9/16 dev skbr0; ip address add 172.16.0.1/16 dev skbr0
ip address change 172.16.0.1/16 dev skbr0 valid_lft 1000 preferred_lft 1000
ip address del 172.16.0.1/16 dev skbr0; ip address add 172.16.0.1/16 dev skbr0 noprefixroute
ip address del 172.16.0.1/16 dev skbr0; ip address add 172.16.0.1/24 brd + dev skbr0
ip address add 10.77.0.1/24 dev skbr0
ip route del 172.16.0.0/16 dev skbr0
ip route del local 172.16.0.1 dev skbr0 table local
ip route del broadcast 172.16.255.255 dev skbr0 table local
sysctl -qw net.ipv4.conf.skbr0.route_localnet=1 net.ipv4.conf.skbr0.rp_filter=1 net.ipv4.conf.skbr0.proxy_arp=1
sysctl -qw net.ipv4.conf.skbr0.forwarding=0 net.ipv4.conf.eth0.forwarding=0 net.ipv4.conf.PORT.send_redirects=1
sysctl -qw net.ipv4.ip_forward=1; sysctl -qw net.ipv4.ip_forward=0
ip neigh replace 172.16.0.2 lladdr 02:00:00:00:00:99 dev skbr0 nud permanent`;

const BRIDGED = `ip address flush dev eth0
ip address add 172.16.77.77/16 dev eth0
ip address change 172.16.0.2/16 dev eth0 valid_lft 1000 preferred_lft 1000
ip route flush table main
ip route add 10.55.0.0/16 via 172.16.0.1
ip route add default via 172.16.0.1 metric 77
ip route replace default via 172.16.0.99
ip route del local 172.16.0.2 table local
ip link set eth0 down
ip link set lo down
ip address flush dev lo
ip link set eth0 name other
ip link set eth0 arp off
ip link set eth0 mtu 1000
ip link set eth0 address 02:00:00:00:88:88
ip link set eth0 alias other
ip link del eth0
sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.route_localnet=1
sysctl -qw net.ipv4.conf.eth0.arp_notify=0 net.ipv6.conf.eth0.disable_ipv6=0
ip neigh replace 172.16.0.1 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
nft delete table ip skdocker
nft insert rule ip skdocker output drop`;

const PAIRED = `ip address flush dev eth0
ip address add 10.251.0.9/24 dev eth0
ip route flush table main
ip route add 10.9.0.0/16 dev eth0
ip route del default
ip route replace default via 10.251.0.1 dev eth0 metric 5 onlink
ip link set eth0 down
ip link del eth0
nft flush table ip skdocker`;

function lines(place: Place, text: string): Breakage[] {
  return text.split("\n").map((command) => ({ place, command }));
}

/** All of them. */
export const BREAKAGES: readonly Breakage[] = [
  ...lines("host", HOST),
  ...lines("bridged", BRIDGED),
  ...lines("paired", PAIRED),
];

/** Numbers from 0 to 1 that a seed decides (mulberry32), so that a failure can be had again. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
