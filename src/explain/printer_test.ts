import { describe, expect, test } from "bun:test";
import type { ContainerStep } from "../container/container_step.ts";
import type { NetworkStep } from "../network/network_step.ts";
import { whyOf } from "./container.ts";
import { purposeLine } from "./network.ts";
import { type ExplainOptions, ExplainPrinter } from "./printer.ts";

const CONTAINER = { name: "web", id: "0123456789abcdef".repeat(4) };
const NAMESPACE: NetworkStep = { do: "add namespace", purpose: "namespace" };
const LOOPBACK: NetworkStep = {
  ...{ do: "set link", purpose: "namespace", side: "container", link: "lo" },
  settings: { up: true },
};
const ADDRESS: NetworkStep = {
  ...{ do: "add address", purpose: "address", side: "container", link: "eth0", address: "172.16.0.2/16" },
};
const MOUNT: ContainerStep = { group: "root", command: "mount -t proc proc /proc", items: [] };

function printed(options: Partial<ExplainOptions>, announce: (printer: ExplainPrinter) => void): string {
  let text = "";
  announce(new ExplainPrinter({ container: CONTAINER, write: (more) => text += more, ...options }));
  return text;
}

describe("what is printed", () => {
  test("is a header, one why above steps of one purpose, a line a step, and the count", () => {
    const text = printed({}, (printer) => {
      const network = printer.networkListener();
      for (const step of [NAMESPACE, LOOPBACK, ADDRESS]) expect(network(step)).toBe("go");
      printer.containerListener()(MOUNT);
      printer.finish();
      expect(printer.steps).toBe(4);
    });
    expect(text).toBe(`\
# network of web (0123456789ab)

${purposeLine("namespace")}
ip netns add web
ip -n web link set dev lo up

${purposeLine("address")}
ip -n web address add 172.16.0.2/16 dev eth0

# container web (0123456789ab)

# ${whyOf("root")}
mount -t proc proc /proc

# 4 steps
`);
  });

  test("comes step by step, as each is announced", () => {
    const writes: string[] = [];
    printed({ write: (text) => writes.push(text) }, (printer) => {
      const network = printer.networkListener();
      network(NAMESPACE);
      expect(writes).toHaveLength(1);
      network(LOOPBACK);
      expect(writes[1]).toBe("ip -n web link set dev lo up\n");
    });
  });

  test("says again whose step it is when the network has its turn after the container", () => {
    const text = printed({}, (printer) => {
      const network = printer.networkListener();
      network(ADDRESS);
      printer.containerListener()(MOUNT);
      network(ADDRESS);
    });
    expect(text.match(/^# network of web/gm)).toHaveLength(2);
    expect(text.split(purposeLine("address"))).toHaveLength(3);
  });
});

test("a dry run marks the address, which another start may take first", () => {
  const text = printed({ dryRun: true }, (printer) => {
    const network = printer.networkListener();
    network(LOOPBACK);
    network(ADDRESS);
  });
  expect(text).toContain("# The address is the one that would be taken\nip -n web address add 172.16.0.2/16 dev eth0");
  expect(text.match(/would be taken/g)).toHaveLength(1);
});

test("without a container, only the host's network is spoken of", () => {
  const text = printed({ container: null }, (printer) => {
    printer.networkListener()({ do: "delete link", purpose: "bridge", side: "host", link: "skbr0" });
    printer.finish();
  });
  expect(text).toContain("# network\n");
  expect(text).toEndWith("ip link delete dev skbr0\n\n# 1 step\n");
});

test("steps that come after the last line are counted for themselves", () => {
  let text = "";
  const printer = new ExplainPrinter({ container: null, write: (more) => void (text += more) });
  const listener = printer.networkListener();
  const step = { do: "delete link", purpose: "undo", side: "host", link: "skbr0" } as const;
  listener(step);
  listener(step);
  printer.finish();
  listener(step);
  printer.finish();
  printer.finish();
  expect(text.match(/^# \d.*$/gm)).toEqual(["# 2 steps", "# 1 step to take things back"]);
});
