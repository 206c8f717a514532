/**
 * What resolver_test.ts runs on a lab's host: `bun resolver_driver.ts NAMESPACE UPSTREAM…` serves 127.0.0.11 in the
 * network namespace of that file, until it is killed. Prints the nft commands that lead port 53 to it. Not a test.
 */
import { writeSync } from "node:fs";
import { nftLine } from "../../src/explain/nft.ts";
import { openNetworkNamespace } from "../../src/kernel/namespaces.ts";
import { Reactor } from "../../src/kernel/reactor.ts";
import { resolverTable } from "../../src/network/firewall_plan.ts";
import { Resolver } from "../../src/network/resolver.ts";
import { openResolverSockets } from "../../src/network/resolver_sockets.ts";
import { serverAddresses } from "../../src/network/resolver_upstream.ts";

const [path = "", ...upstreams] = process.argv.slice(2);
const reactor = new Reactor();
const namespace = openNetworkNamespace(path);
const sockets = openResolverSockets(namespace.fd);
namespace.close();
new Resolver({ reactor, udp: sockets.udp, tcp: sockets.tcp, servers: serverAddresses(upstreams) });
writeSync(1, `${resolverTable(sockets).map(nftLine).join("\n")}\nserving\n`);
reactor.run(() => false);
