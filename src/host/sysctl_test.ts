import { expect, test } from "bun:test";
import { sysctlPath } from "./sysctl.ts";

test("a parameter is a file of /proc/sys, a link's one in the link's directory", () => {
  expect(sysctlPath("net.ipv4.ip_forward")).toBe("/proc/sys/net/ipv4/ip_forward");
  expect(sysctlPath("net.ipv4.conf.all.forwarding")).toBe("/proc/sys/net/ipv4/conf/all/forwarding");
  expect(sysctlPath("net.ipv6.neigh.eth0.app_solicit")).toBe("/proc/sys/net/ipv6/neigh/eth0/app_solicit");
  expect(sysctlPath("net.bridge.bridge-nf-call-iptables")).toBe("/proc/sys/net/bridge/bridge-nf-call-iptables");
});

test("a link's name may hold dots", () => {
  expect(sysctlPath("net.ipv6.conf.eth0.100.accept_ra")).toBe("/proc/sys/net/ipv6/conf/eth0.100/accept_ra");
  expect(sysctlPath("net.ipv4.neigh.a.b.c.mcast_solicit")).toBe("/proc/sys/net/ipv4/neigh/a.b.c/mcast_solicit");
});
