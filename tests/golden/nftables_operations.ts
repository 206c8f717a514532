/** The operations whose bytes nftables.txt has, one for each of its `$ nft …` lines, in the same order. */
import type { NftOperation } from "../../src/kernel/nftables/operation.ts";
import type { SetDefinition } from "../../src/kernel/nftables/set.ts";
import { ctStatus, destinationIs, linkIs, portIs, verdict } from "../../src/kernel/nftables/statement.ts";
import {
  bridgeElements,
  makeFirewall,
  makeUserFirewall,
  ptpElements,
  removeFirewall,
  resolverTable,
  routedElements,
  undo,
} from "../../src/network/firewall_plan.ts";

const TABLE = { family: "inet", name: "golden" } as const;
const NETS: SetDefinition = { family: "inet", table: "golden", name: "nets", key: ["ipv4_addr"], interval: true };
const SOURCES: SetDefinition = {
  family: "inet",
  table: "golden",
  name: "sources",
  key: ["ifname", "ipv4_addr"],
  interval: true,
};
const PORTS: SetDefinition = {
  family: "inet",
  table: "golden",
  name: "ports",
  key: ["inet_proto", "inet_service"],
  data: ["ipv4_addr", "inet_service"],
};
const BY_LINK: SetDefinition = {
  family: "inet",
  table: "golden",
  name: "by_link",
  key: ["ifname"],
  data: ["verdict"],
  comment: "where to go",
};
const RULE = { family: "inet", table: "golden", chain: "other" } as const;

/** Objects that the firewall itself does not use yet. */
function others(): NftOperation[] {
  return [
    { verb: "add", table: TABLE },
    { verb: "add", set: NETS },
    { verb: "add", set: SOURCES },
    { verb: "add", set: PORTS },
    { verb: "add", set: BY_LINK },
    { verb: "add", chain: { family: "inet", table: "golden", name: "other" } },
    { verb: "create", chain: { family: "inet", table: "golden", name: "more" } },
    { verb: "add", element: { set: NETS, key: ["172.16.0.0/16"] } },
    { verb: "add", element: { set: SOURCES, key: ["skbr0", "172.16.0.0/16"] } },
    { verb: "add", element: { set: PORTS, key: ["tcp", "8080"], data: ["172.16.0.2", "80"], comment: "web" } },
    { verb: "add", element: { set: BY_LINK, key: ["eth0"], data: { verdict: "jump", chain: "other" } } },
    { verb: "create", element: { set: BY_LINK, key: ["eth1"], data: { verdict: "drop" } } },
    { verb: "add", rule: { ...RULE, expressions: [...portIs("udp", 53), ...verdict({ verdict: "return" })] } },
    { verb: "insert", rule: { ...RULE, expressions: [...ctStatus("dnat"), ...verdict({ verdict: "accept" })] } },
    {
      verb: "add",
      rule: {
        ...RULE,
        expressions: [
          ...linkIs("oifname", "eth0"),
          { expr: "counter" },
          ...verdict({ verdict: "goto", chain: "more" }),
        ],
        comment: "by hand",
      },
    },
    { verb: "delete", element: { set: NETS, key: ["172.16.0.0/16"] } },
    { verb: "delete", element: { set: PORTS, key: ["tcp", "8080"] } },
    { verb: "destroy", element: { set: SOURCES, key: ["skbr0", "172.16.0.0/16"] } },
    { verb: "delete", rule: { ...RULE, handle: 8n } },
    { verb: "flush", chain: { family: "inet", table: "golden", name: "other" } },
    { verb: "flush", table: TABLE },
    { verb: "delete", set: NETS },
    { verb: "delete", table: TABLE },
    { verb: "destroy", table: TABLE },
    { verb: "create", table: { family: "ip", name: "golden" } },
    { verb: "add", chain: { family: "ip", table: "golden", name: "other" } },
    {
      verb: "add",
      rule: { ...RULE, family: "ip", expressions: [...destinationIs("10.1.2.3"), ...verdict({ verdict: "drop" })] },
    },
  ];
}

/** All of them. */
export function goldenOperations(): NftOperation[] {
  const bridge = bridgeElements({ link: "skbr0", owner: "bridge", masquerade: true });
  return [
    ...makeFirewall(),
    ...bridge,
    ...ptpElements({ link: "veth01234567", owner: "ptp 0123", masquerade: true }),
    ...routedElements({ link: "br0", owner: "uplink", bridge: true }),
    ...undo(bridge),
    ...makeUserFirewall(),
    ...resolverTable({ udpPort: 40053, tcpPort: 40054 }),
    ...removeFirewall(),
    ...others(),
  ];
}
