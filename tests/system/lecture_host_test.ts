/** The lecture's second network: the host's. */
import { expect, test } from "bun:test";
import { Lab } from "../lab.ts";

const HOST = ["run", "--rm", "--network", "host"];

test("on the host's network the container has the host's links", () => {
  using lab = Lab.create();
  const links = (text: string) => text.match(/^\d+: [^:@]+/gm);
  const inside = lab.skdocker(...HOST, "busybox", "ip", "link").stdout;
  expect(links(inside)).toEqual(links(lab.output(["ip", "link"])));
});

test("the host's and the internet's addresses answer", () => {
  using lab = Lab.create();
  for (const address of [lab.hostAddress, lab.internetAddress]) {
    expect(lab.skdocker(...HOST, "busybox", "ping", "-c", "1", "-W", "2", address).code).toBe(0);
  }
});

test("a name fails with --dns none, and works with the host's resolv.conf copied", () => {
  using lab = Lab.create();
  const ping = ["busybox", "ping", "-c", "1", "-W", "2", "baidu.com"];
  const without = lab.skdocker(...HOST, "--dns", "none", ...ping);
  expect(without.code).not.toBe(0);
  expect(without.stderr).toContain("bad address 'baidu.com'");
  expect(lab.skdocker(...HOST, ...ping).stdout).toContain("1 packets received");
  expect(lab.skdocker(...HOST, "busybox", "cat", "/etc/resolv.conf").stdout).toContain("nameserver 220.181.38.152");
});
