import { expect, test } from "bun:test";
import { UserError } from "../user_error.ts";
import { planHostname, planHosts } from "./hosts_file.ts";

const REQUEST = { hostname: "web", address: "172.16.0.2", gateway: "172.16.0.1", addHosts: [], hostText: null };

test("a container finds itself and localhost", () => {
  expect(planHosts(REQUEST).split("\n")).toEqual([
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "ff00::\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
    "172.16.0.2\tweb",
    "",
  ]);
});

test("a hostname with a domain is found by its first label too", () => {
  expect(planHosts({ ...REQUEST, hostname: "web.example.org" })).toEndWith("172.16.0.2\tweb.example.org web\n");
});

test("added hosts stand before the container's own line, host-gateway is the host", () => {
  const addHosts = [{ name: "db", address: "10.0.0.9" }, { name: "outer", address: "host-gateway" }];
  expect(planHosts({ ...REQUEST, addHosts })).toEndWith("\n10.0.0.9\tdb\n172.16.0.1\touter\n172.16.0.2\tweb\n");
});

test("host-gateway is refused where the host is not on the network", () => {
  const addHosts = [{ name: "outer", address: "host-gateway" }];
  expect(() => planHosts({ ...REQUEST, gateway: null, address: null, addHosts })).toThrow(UserError);
});

test("a container without an address has no line of its own", () => {
  expect(planHosts({ ...REQUEST, address: null })).toEndWith("ip6-allrouters\n");
});

test("on the host's network the host's file is kept and added to", () => {
  const text = planHosts({
    ...REQUEST,
    address: null,
    hostText: "127.0.0.1 localhost\n# mine\n10.1.1.1 box\n\n",
    addHosts: [{ name: "db", address: "10.0.0.9" }],
  });
  expect(text).toBe("127.0.0.1 localhost\n# mine\n10.1.1.1 box\n10.0.0.9\tdb\n");
});

test("a name cannot bring a line of its own", () => {
  const addHosts = [{ name: "db\n6.6.6.6 bank", address: "10.0.0.9" }];
  expect(() => planHosts({ ...REQUEST, addHosts })).toThrow(UserError);
  expect(() => planHostname("web\nx")).toThrow(UserError);
  expect(planHostname("web")).toBe("web\n");
});
