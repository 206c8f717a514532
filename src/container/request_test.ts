import { describe, expect, test } from "bun:test";
import type { NetworkMode, NetworkOptions } from "../network/options.ts";
import { checkRequest, PLAIN_REQUEST, type RunRequest } from "./request.ts";

const network: NetworkOptions = {
  mode: { kind: "bridge" },
  ip: null,
  mac: null,
  dns: [],
  dnsSearch: [],
  dnsOptions: [],
  addHosts: [],
};

const request: RunRequest = { ...PLAIN_REQUEST, command: ["true"] };

const NONE: NetworkMode = { kind: "none", loopback: "up" };
const HOST: NetworkMode = { kind: "host" };
const OTHER: NetworkMode = { kind: "container", container: "web" };
const NS: NetworkMode = { kind: "ns", path: "/run/netns/blue" };
const PTP: NetworkMode = { kind: "ptp", gateway: true, masquerade: true };

const asked = (mode: NetworkMode, rest: Partial<NetworkOptions> = {}, more: Partial<RunRequest> = {}): RunRequest => ({
  ...request,
  ...more,
  network: { ...network, mode, ...rest },
});

const forward = new Map([["net.ipv4.ip_forward", "1"]]);

describe("a request without contradictions is accepted", () => {
  const good: [string, RunRequest][] = [
    ["nothing special", request],
    ["an address on the bridge", asked({ kind: "bridge" }, { ip: "172.16.0.9", mac: "02:53:ac:10:00:09" })],
    ["an address on a pair", asked(PTP, { ip: "10.1.0.2" })],
    ["a setting of a namespace of its own", asked(NONE, {}, { sysctls: forward })],
    ["a name server on the host's network", asked(HOST, { dns: ["1.1.1.1"] }, { hostname: "web" })],
    ["a setting that is no network's", asked(HOST, {}, { sysctls: new Map([["kernel.msgmax", "1"]]) })],
  ];
  for (const [name, one] of good) test(name, () => expect(() => checkRequest(one)).not.toThrow());
});

describe("a request that contradicts itself is refused", () => {
  const bind = { kind: "bind", source: "/a", target: "/x", readOnly: false, recursive: true } as const;
  const bad: [RunRequest, string][] = [
    [asked(NONE, { ip: "172.16.0.9" }), "--ip cannot be used with --network none"],
    [asked(HOST, { ip: "172.16.0.9" }), "--ip cannot be used with --network host"],
    [asked(HOST, { mac: "02:53:ac:10:00:09" }), "--mac-address cannot be used with --network host"],
    [asked(NS, { mac: "02:53:ac:10:00:09" }), "--mac-address cannot be used with --network ns"],
    [asked(HOST, {}, { sysctls: forward }), "--sysctl net.ipv4.ip_forward cannot be used with --network host"],
    [asked(OTHER, {}, { sysctls: forward }), "--sysctl net.ipv4.ip_forward cannot be used with --network container"],
    [asked(OTHER, {}, { hostname: "x" }), "--hostname cannot be used with --network container"],
    [asked(OTHER, { dns: "none" }), "--dns cannot be used with --network container"],
    [asked(OTHER, { dnsSearch: ["x.org"] }), "--dns-search cannot be used with --network container"],
    [asked(OTHER, { dnsOptions: ["ndots:1"] }), "--dns-option cannot be used with --network container"],
    [asked(OTHER, { addHosts: [{ name: "a", address: "::1" }] }), "--add-host cannot be used with"],
    [{ ...request, mounts: [bind, { ...bind, source: "/b" }] }, '"/x" is the target of two mounts'],
  ];
  for (const [one, message] of bad) test(message, () => expect(() => checkRequest(one)).toThrow(message));
});
