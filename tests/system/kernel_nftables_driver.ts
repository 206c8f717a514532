/**
 * What kernel_nftables_test.ts has done inside a network namespace: `bun kernel_nftables_driver.ts SCENARIO`.
 * Prints JSON. Not a test itself.
 */
import { BatchError, sendBatch } from "../../src/kernel/nftables/batch.ts";
import { dumpElements, dumpRules, dumpSets, getTable } from "../../src/kernel/nftables/dump.ts";
import { readGeneration } from "../../src/kernel/nftables/generation.ts";
import { readForwardTables } from "../../src/kernel/nftables/forward_rules.ts";
import type { NftOperation } from "../../src/kernel/nftables/operation.ts";
import { readLegacyForward } from "../../src/kernel/xtables.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "../../src/kernel/netlink/socket.ts";
import { nftLine } from "../../src/explain/nft.ts";
import {
  bridgeElements,
  DOCKER_USER_COMMENT,
  dockerUserRules,
  FIREWALL,
  makeFirewall,
  makeUserFirewall,
  NETWORKS,
  ptpElements,
  rebuildFirewall,
  removeFirewall,
  resolverTable,
  routedElements,
} from "../../src/network/firewall_plan.ts";
import { foreignForwardDrops, legacyForwardDrop } from "../../src/network/foreign_firewall_plan.ts";

function elements(): NftOperation[] {
  return [
    ...bridgeElements({ link: "skbr0", owner: "bridge", masquerade: true }),
    ...ptpElements({ link: "veth1", owner: "ptp one", masquerade: true }),
    ...ptpElements({ link: "veth2", owner: "ptp two", masquerade: false }),
    ...routedElements({ link: "eth0", owner: "uplink", bridge: false }),
  ];
}

function everything(): NftOperation[] {
  return [
    ...makeFirewall(),
    ...elements(),
    ...makeUserFirewall(),
    ...resolverTable({ udpPort: 40053, tcpPort: 40054 }),
  ];
}

/** An element of its own for every number. */
function numbered(number: number): NftOperation {
  return { verb: "add", element: { set: NETWORKS, key: [`v${number}`], comment: `owner ${number}` } };
}

const SCENARIOS: Readonly<Record<string, (socket: NetlinkSocket, argument: string) => unknown>> = {
  lines: () => everything().map(nftLine),
  everything: (socket) => sendBatch(socket, everything()),
  firewall: (socket) => sendBatch(socket, [...makeFirewall(), ...elements()]),
  resolver: (socket) => sendBatch(socket, resolverTable({ udpPort: 40053, tcpPort: 40054 })),
  rebuild: (socket) => sendBatch(socket, [...rebuildFirewall(), ...elements()]),
  remove: (socket) => sendBatch(socket, removeFirewall()),
  generation: (socket) => readGeneration(socket),
  table: (socket) => getTable(socket, FIREWALL) ?? null,

  /** A batch whose operation number ARGUMENT cannot be done. */
  refused: (socket, argument) => {
    const operations = Array.from({ length: 20 }, (_, index) => numbered(index));
    const wrong = { ...NETWORKS, name: "nowhere" };
    operations[Number(argument)] = { verb: "add", element: { set: wrong, key: ["eth0"] } };
    try {
      sendBatch(socket, operations);
      return "not refused";
    } catch (error) {
      if (!(error instanceof BatchError)) throw error;
      return { index: error.failedIndex, code: error.code, message: error.message };
    }
  },

  /** Without CAP_NET_ADMIN over the namespace. */
  unprivileged: (socket) => {
    try {
      sendBatch(socket, makeFirewall());
      return "not refused";
    } catch (error) {
      if (!(error instanceof BatchError)) throw error;
      return { code: error.code, message: error.message };
    }
  },

  /** More than a socket's send buffer takes. */
  large: (socket) => {
    sendBatch(socket, Array.from({ length: 4000 }, (_, index) => numbered(index)));
    return dumpElements(socket, NETWORKS).length;
  },

  /** 25 batches of two changes, each undone and done again, while others do the same. */
  concurrent: (socket, argument) => {
    for (let i = 0; i < 25; i++) {
      const number = Number(argument) * 100 + i;
      const element = numbered(number);
      sendBatch(socket, [element, numbered(number + 50)]);
      if ("element" in element) sendBatch(socket, [{ verb: "delete", element: element.element }]);
      sendBatch(socket, [element]);
    }
    return "done";
  },

  docker: (socket) => {
    const drops = () => foreignForwardDrops(readForwardTables(socket, { except: [] }), { link: "skbr0" });
    const before = drops();
    sendBatch(socket, dockerUserRules({ link: "skbr0", pairs: null }));
    return { before, after: drops() };
  },

  /** Takes our rules out of DOCKER-USER again, by their handles. */
  undocker: (socket) => {
    const rules = dumpRules(socket, { family: "ip", table: "filter", chain: "DOCKER-USER" });
    const ours = rules.filter(({ comment }) => comment === DOCKER_USER_COMMENT);
    sendBatch(
      socket,
      ours.map(({ family, table, chain, handle }) => ({ verb: "delete", rule: { family, table, chain, handle } })),
    );
    return ours.length;
  },

  sets: (socket) =>
    dumpSets(socket, FIREWALL).map((set) => ({
      name: set.name,
      elements: dumpElements(socket, set).map(({ key, comment }) => ({ key, comment })),
    })),

  legacy: () => {
    const forward = readLegacyForward();
    return { forward: forward ?? null, drop: legacyForwardDrop(forward, { link: "skbr0" }) ?? null };
  },
};

const [name = "", argument = ""] = process.argv.slice(2);
const scenario = SCENARIOS[name];
if (!scenario) throw new Error(`no scenario is named "${name}"`);
using socket = NetlinkSocket.open(NETLINK_NETFILTER);
process.stdout.write(JSON.stringify(scenario(socket, argument) ?? null) + "\n");
