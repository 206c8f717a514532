import { describe, expect, test } from "bun:test";
import { sysctlPath } from "../host/sysctl.ts";
import type { Mac } from "../kernel/mac.ts";
import type { NetworkStep } from "../network/network_step.ts";
import { networkLine, purposeLine } from "./network.ts";

const MAC = "02:53:ac:10:00:02" as Mac;

/** The line of a step, the rest of which does not matter here. */
function line(step: object): string {
  return networkLine({ purpose: "pair", ...step } as NetworkStep, { namespace: "web" });
}

describe("a step on the host is the command for it", () => {
  test("for links", () => {
    expect(line({ do: "add bridge", link: "skbr0", address: "02:52:ac:10:00:01" }))
      .toBe("ip link add skbr0 address 02:52:ac:10:00:01 type bridge");
    expect(line({
      ...{ do: "add veth", link: "veth1", address: "02:54:ac:10:00:02", mtu: 1400, master: "skbr0" },
      peer: { link: "eth0", address: MAC },
    })).toBe(
      "ip link add veth1 address 02:54:ac:10:00:02 mtu 1400 master skbr0 " +
        "type veth peer name eth0 address 02:53:ac:10:00:02 mtu 1400 netns web",
    );
    expect(line({ do: "delete link", side: "host", link: "veth1" })).toBe("ip link delete dev veth1");
  });

  test("with a link's settings in the order that ip can read, the port's last", () => {
    const settings = { hairpin: true, up: true, alias: "web" };
    expect(line({ do: "set link", side: "host", link: "veth1", settings }))
      .toBe("ip link set dev veth1 alias web up type bridge_slave hairpin on");
    expect(line({
      ...{ do: "set link", side: "host", link: "veth1" },
      settings: { up: false, mtu: 1400, address: MAC, master: "skbr0" },
    })).toBe("ip link set dev veth1 mtu 1400 address 02:53:ac:10:00:02 master skbr0 down");
    expect(line({
      ...{ do: "set link", side: "host", link: "skbr0" },
      settings: { options: { stp_state: 0, ageing_time: 30000 }, flags: { arp: true, promisc: false }, group: 0 },
    })).toBe("ip link set dev skbr0 arp on promisc off group 0 type bridge stp_state 0 ageing_time 30000");
    expect(line({ do: "rename link", link: "br7", name: "skbr0" })).toBe("ip link set dev br7 name skbr0");
  });

  test("for addresses, routes and neighbours", () => {
    expect(line({ do: "add address", side: "host", link: "skbr0", address: "172.16.0.1/16" }))
      .toBe("ip address add 172.16.0.1/16 dev skbr0");
    expect(line({ do: "delete address", side: "host", link: "skbr0", address: "172.16.0.1/16" }))
      .toBe("ip address delete 172.16.0.1/16 dev skbr0");
    expect(line({ do: "add route", side: "host", link: "veth1", to: "172.20.0.2/32", via: null }))
      .toBe("ip route add 172.20.0.2/32 dev veth1");
    expect(line({ do: "delete neighbour", link: "skbr0", ip: "172.16.0.2" }))
      .toBe("ip neighbour delete 172.16.0.2 dev skbr0");
    expect(line({ do: "replace neighbour", link: "skbr0", ip: "172.16.0.2", address: MAC }))
      .toBe("ip neighbour replace 172.16.0.2 lladdr 02:53:ac:10:00:02 dev skbr0 nud reachable");
  });
});

describe("a step in the container's namespace is a command in it", () => {
  test("which ip enters by itself", () => {
    expect(line({ do: "add namespace" })).toBe("ip netns add web");
    expect(line({ do: "set link", side: "container", link: "lo", settings: { up: true } }))
      .toBe("ip -n web link set dev lo up");
    expect(line({ do: "add route", side: "container", link: "eth0", to: "default", via: "172.16.0.1" }))
      .toBe("ip -n web route add default via 172.16.0.1 dev eth0");
    expect(line({ do: "delete route", side: "container", link: "eth0", to: "default", via: null }))
      .toBe("ip -n web route delete default dev eth0");
  });

  test("into which sysctl and nft are put", () => {
    expect(line({ do: "write sysctl", side: "container", name: "net.ipv4.conf.all.forwarding", value: "0" }))
      .toBe("ip netns exec web sysctl -qw net.ipv4.conf.all.forwarding=0");
    const operation = { verb: "create", table: { family: "ip", name: "skdocker" } };
    expect(line({ do: "change firewall", side: "container", operation }))
      .toBe("ip netns exec web nft create table ip skdocker");
    expect(line({ do: "change firewall", side: "host", operation })).toBe("nft create table ip skdocker");
  });
});

describe("what the shell or the program would misread", () => {
  test("is quoted", () => {
    expect(line({ do: "set link", side: "host", link: "veth1", settings: { alias: "it's; $HOME" } }))
      .toBe(`ip link set dev veth1 alias 'it'\\''s; $HOME'`);
    expect(networkLine({ do: "add namespace", purpose: "namespace" }, { namespace: "a b" })).toBe("ip netns add 'a b'");
    expect(line({ do: "write sysctl", side: "host", name: "net.ipv4.ping_group_range", value: "1 0" }))
      .toBe("sysctl -qw 'net.ipv4.ping_group_range=1 0'");
  });

  test("is written with slashes where a link's name holds dots", () => {
    const name = "net.ipv4.conf.eth0.100.forwarding";
    expect(line({ do: "write sysctl", side: "host", name, value: "1" }))
      .toBe("sysctl -qw net/ipv4/conf/eth0.100/forwarding=1");
    expect(sysctlPath(name)).toBe("/proc/sys/net/ipv4/conf/eth0.100/forwarding");
  });
});

test("a purpose is one comment", () => {
  expect(purposeLine("route")).toStartWith("# The way out");
  expect(purposeLine("route")).not.toContain("\n");
});
