/**
 * What resolver_test.ts runs on a lab's host: `bun resolver_driver.ts NAMESPACE UPSTREAM…` serves 127.0.0.11 in the
 * network namespace of that file, until it is killed. Not a test.
 */
import { writeSync } from "node:fs";
import { openNetworkNamespace } from "../../src/kernel/namespaces.ts";
import { Reactor } from "../../src/kernel/reactor.ts";
import { resolverService } from "../../src/network/resolver.ts";
import { openResolverSockets } from "../../src/network/resolver_sockets.ts";
import { serverAddresses } from "../../src/network/resolver_upstream.ts";

const [path = "", ...upstreams] = process.argv.slice(2);
const namespace = openNetworkNamespace(path);
const sockets = openResolverSockets(namespace.fd, () => "go");
namespace.close();
const service = resolverService({ ...sockets, servers: serverAddresses(upstreams) });
const reactor = new Reactor();
service.attach(reactor);
writeSync(1, "serving\n");
reactor.run(() => false);
