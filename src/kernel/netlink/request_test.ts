import { expect, test } from "bun:test";
import { REQUESTS } from "../../../tests/golden/netlink_ip.ts";
import { parseIp } from "../ip_address.ts";
import { ipv4FromNumber, parseIpv4 } from "../ipv4.ts";
import { parseMac } from "../mac.ts";
import { deleteAddress, newAddress, replaceAddress } from "./address.ts";
import { AttributeWriter } from "./attributes.ts";
import { changeLink, checkLinkName, deleteLink, newBridge, newVeth } from "./link.ts";
import { NLM_F_ACK, type Request, writeMessage } from "./message.ts";
import { replaceNeighbour } from "./neighbour.ts";
import { deleteRoute, newRoute, replaceRoute } from "./route.ts";

function encoded(request: Request, flags = NLM_F_ACK): string {
  const writer = new AttributeWriter({ flagNested: false });
  writeMessage(writer, request, { sequence: 0, flags });
  return writer.bytes.toHex();
}

const BRIDGE = { name: "br0", address: parseMac("02:53:00:00:00:01"), mtu: 1400 };
const VETH = {
  name: "veth0",
  address: parseMac("02:53:00:00:00:02"),
  mtu: 1400,
  master: 3,
  peer: { name: "eth0", address: parseMac("02:53:ac:10:00:02"), mtu: 1400 },
};
const ADDRESS = { link: 4, address: parseIp("172.16.0.2"), prefix: 16 };
const GATEWAY = { gateway: parseIp("172.16.0.1"), link: 4 };

const SAME_AS_IP: Record<string, [Request, string]> = {
  "making a bridge": [newBridge(BRIDGE), REQUESTS.bridge],
  "making a veth pair": [newVeth(VETH), REQUESTS.veth],
  "giving a link an alias": [changeLink(5, { alias: "web" }), REQUESTS.alias],
  "setting a link up": [changeLink(5, { up: true }), REQUESTS.up],
  "removing a link": [deleteLink(5), REQUESTS.del_link],
  "adding an address": [newAddress({ ...ADDRESS, broadcast: true }), REQUESTS.address],
  "setting an IPv6 address": [
    replaceAddress({ link: 4, address: parseIp("fd00::2"), prefix: 64, noDad: true, noPrefixRoute: true }),
    REQUESTS.address6,
  ],
  "removing an address": [deleteAddress(ADDRESS), REQUESTS.del_address],
  "adding a default route": [newRoute(GATEWAY), REQUESTS.default],
  "adding a route to another table": [
    newRoute({
      destination: { address: parseIp("10.1.0.0"), prefix: 16 },
      link: 4,
      source: parseIp("172.16.0.2"),
      table: 1000,
      priority: 50,
      protocol: "static",
    }),
    REQUESTS.table_route,
  ],
  "adding a route through an onlink gateway": [
    newRoute({
      destination: { address: parseIp("10.2.0.1"), prefix: 32 },
      gateway: parseIp("9.9.9.9"),
      link: 4,
      onlink: true,
      mtu: 1300,
    }),
    REQUESTS.onlink,
  ],
  "removing a route": [deleteRoute(GATEWAY), REQUESTS.del_route],
  "setting a blackhole route": [
    replaceRoute({ destination: { address: parseIp("10.3.0.0"), prefix: 16 }, type: "blackhole" }),
    REQUESTS.blackhole,
  ],
  "setting a neighbour": [
    replaceNeighbour({ link: 4, address: parseIpv4("172.16.0.9"), mac: parseMac("02:53:ac:10:00:09") }),
    REQUESTS.neighbour,
  ],
};

for (const [what, [request, golden]] of Object.entries(SAME_AS_IP)) {
  test(`${what} is said as ip(8) says it`, () => expect(encoded(request)).toBe(golden));
}

test("a bridge port's options are said as ip(8) says them, but for the name of the kind", () => {
  const options = "1400050005000400010000000500210001000000"; // IFLA_INFO_SLAVE_DATA
  expect(REQUESTS.port).toEndWith(options);
  expect(encoded(changeLink(5, { port: { hairpin: true, isolated: true } }))).toEndWith(options);
});

test("an IPv6 default route is said as ip(8) says it, but for its destination of no bits", () => {
  const destination = "14000100" + "00".repeat(16); // RTA_DST
  expect(encoded(newRoute({ gateway: parseIp("fd00::1"), link: 4 })))
    .toBe(REQUESTS.route6.replace(destination, "").replace("4c", "38"));
});

test("a change of a link leaves out what it does not change", () => {
  expect(encoded(changeLink("lo", {})).length / 2).toBe(40);
  expect(changeLink("eth0", { ipv4: { forwarding: 1 }, ipv6LinkLocal: false }).text()).toBe(
    'ifinfomsg() IFLA_IFNAME "eth0" ' +
      "IFLA_AF_SPEC { AF_INET { IFLA_INET_CONF { forwarding 1 } } AF_INET6 { IFLA_INET6_ADDR_GEN_MODE 1 } }",
  );
});

test("an alias is removed by an empty one", () => {
  expect(encoded(changeLink(5, { alias: "" }))).toEndWith("04001400");
});

test("a request says what it does to what", () => {
  expect(newRoute(GATEWAY)).toMatchObject({ operation: "add route", subject: "default via 172.16.0.1" });
  expect(newRoute({ destination: { address: parseIpv4("10.0.0.0"), prefix: 8 }, link: 3 }).subject)
    .toBe("10.0.0.0/8 dev 3");
  expect(newAddress(ADDRESS).subject).toBe("172.16.0.2/16");
  expect(newVeth(VETH).text()).toBe(
    'ifinfomsg() IFLA_ADDRESS 02:53:00:00:00:02 IFLA_MTU 1400 IFLA_MASTER 3 IFLA_IFNAME "veth0" ' +
      'IFLA_LINKINFO { IFLA_INFO_KIND "veth" IFLA_INFO_DATA { VETH_INFO_PEER { ifinfomsg() ' +
      'IFLA_ADDRESS 02:53:ac:10:00:02 IFLA_MTU 1400 IFLA_IFNAME "eth0" } } }',
  );
});

test("the route text of an unset default network is the default route", () => {
  expect(newRoute({ destination: { address: ipv4FromNumber(0), prefix: 0 }, gateway: parseIp("10.0.0.1") }).subject)
    .toBe("default via 10.0.0.1");
});

test("interface names are those that the kernel takes", () => {
  expect(checkLinkName("abcdefghijklmno")).toBe("abcdefghijklmno");
  expect(checkLinkName("ééééééé")).toBe("ééééééé");
  expect(() => checkLinkName("abcdefghijklmnop")).toThrow(
    '"abcdefghijklmnop" is not an interface name: 16 bytes, not 1 to 15',
  );
  expect(() => checkLinkName("")).toThrow('"" is not an interface name: 0 bytes, not 1 to 15');
  expect(() => checkLinkName("éééééééé")).toThrow("16 bytes");
  expect(() => checkLinkName("a/b")).toThrow('"a/b" is not an interface name: it contains "/"');
  expect(() => checkLinkName("a b")).toThrow('it contains " "');
  expect(() => checkLinkName("a:b")).toThrow('it contains ":"');
  expect(() => checkLinkName("..")).toThrow('".." is not an interface name');
  expect(() => newVeth({ name: "ok", peer: { name: "not ok" } })).toThrow(RangeError);
  expect(() => changeLink("eth0", { name: "eth1" })).toThrow("a link is renamed by its index");
});
