/** The name server at 127.0.0.11 of a namespace, asked by other people's resolvers, before a real dnsmasq. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { Lab, type LabProcess, until } from "../lab.ts";

const DRIVER = join(import.meta.dir, "resolver_driver.ts");
const BUN = join(import.meta.dir, "../../node_modules/.bin/bun");

let lab: Lab;
let upstream: LabProcess;
let server: LabProcess;

beforeAll(async () => {
  lab = Lab.create({ resolvConf: "nameserver 127.0.0.53\n" });
  upstream = startDnsmasq();
  await listening();
  server = await serve("inside", "127.0.0.53");
});
afterAll(() => lab[Symbol.dispose]());

/** The host's resolver: some names, one with an answer that no UDP of 512 bytes holds. */
function startDnsmasq(): LabProcess {
  const long = Array.from({ length: 12 }, (_, i) => `--txt-record=long.test,${String(i).repeat(200).slice(0, 200)}`);
  return lab.spawn([
    ...["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--no-resolv"],
    ...["--no-hosts", "--bind-interfaces", "--log-facility=-", "--cache-size=0", "--local=/test/"],
    ...["--host-record=host.test,10.0.24.5", "--host-record=Mixed.test,10.0.24.6", ...long],
    ...["--listen-address=127.0.0.53", "--edns-packet-max=4096"],
  ]);
}

/** Waits until it listens, by UDP and TCP. */
function listening(): Promise<boolean> {
  return until("dnsmasq", () => lab.output(["ss", "-lnutH"]).split("127.0.0.53:53 ").length === 3);
}

/** A namespace with lo up, and the driver serving it as a container is served. */
async function serve(name: string, ...upstreams: string[]): Promise<LabProcess> {
  lab.shell(`ip netns add ${name}; ip -n ${name} link set lo up`);
  const driver = lab.spawn([BUN, DRIVER, `/run/netns/${name}`, ...upstreams]);
  await driver.waitFor(/^serving$/m);
  return driver;
}

function inside(argv: string[], name = "inside"): { code: number; stdout: string; stderr: string } {
  return lab.run(["ip", "netns", "exec", name, ...argv]);
}

/** dig's answer, one record a line. */
function dig(...words: string[]): string {
  return inside(["dig", "@127.0.0.11", "+tries=1", "+time=8", ...words]).stdout;
}

describe("a loopback resolver of the host", () => {
  test("is out of reach without the forwarder", () => {
    lab.shell("ip netns add alone; ip -n alone link set lo up");
    expect(inside(["dig", "@127.0.0.53", "+tries=1", "+time=1", "host.test"], "alone").code).not.toBe(0);
  });

  test("answers busybox, by UDP", () => {
    const { stdout, code } = inside(["busybox", "nslookup", "-type=a", "host.test", "127.0.0.11"]);
    expect(stdout).toContain("10.0.24.5");
    expect(code).toBe(0);
  });

  test("answers dig, by UDP and TCP, from 127.0.0.11 port 53", () => {
    for (const protocol of ["+notcp", "+tcp"]) {
      const out = dig(protocol, "host.test");
      expect(out).toContain("10.0.24.5");
      expect(out).toContain("SERVER: 127.0.0.11#53(127.0.0.11)");
    }
  });

  test("says itself that a name is not there", () => {
    expect(dig("nowhere.test")).toContain("status: NXDOMAIN");
  });

  test("gets the name as the client spelt it", () => {
    expect(dig("mIxEd.TeSt", "+noall", "+question")).toContain(";mIxEd.TeSt.");
  });
});

describe("long answers", () => {
  test("are marked as truncated for a client without EDNS, which then asks by TCP", () => {
    expect(dig("+noedns", "+ignore", "txt", "long.test")).toMatch(/flags: [^;]*\btc\b/);
    const whole = dig("+noedns", "txt", "long.test");
    expect(whole).toContain("ANSWER: 12");
    expect(whole).toMatch(/\(TCP\)/);
  });

  test("come by UDP for a client that says it takes them", () => {
    const whole = dig("+bufsize=4096", "+ignore", "txt", "long.test");
    expect(whole).toContain("ANSWER: 12");
    expect(whole).toMatch(/\(UDP\)/);
  });
});

test("a client that keeps one TCP connection has all its questions answered on it", () => {
  const out = dig("+tcp", "+keepopen", "+short", ...Array.from({ length: 30 }, () => "host.test"));
  expect(out.trim().split("\n")).toEqual(Array.from({ length: 30 }, () => "10.0.24.5"));
});

test("the container may bind 0.0.0.0:53 itself, by UDP and TCP, and is still served", async () => {
  const own = lab.spawn([
    ...["ip", "netns", "exec", "inside", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root"],
    ...["--pid-file=", "--no-resolv", "--no-hosts", "--log-facility=-", "--host-record=own.test,10.9.9.9"],
  ]);
  const bound = () => inside(["ss", "-lnutH"]).stdout.split("0.0.0.0:53 ").length === 3;
  await until("the container's own server", bound);
  for (const protocol of ["+notcp", "+tcp"]) {
    expect(dig(protocol, "+short", "host.test")).toBe("10.0.24.5\n");
    const local = inside(["dig", "@127.0.0.1", protocol, "+short", "own.test"]);
    expect(local.stdout).toBe("10.9.9.9\n");
  }
  await own.kill("SIGTERM");
  await own.ended();
});

describe("when the host's resolver is gone", () => {
  test("the container hears so at once, and is served again when it is back", async () => {
    await upstream.kill("SIGKILL");
    await upstream.ended();
    const asked = performance.now();
    expect(dig("host.test")).toContain("status: SERVFAIL");
    expect(dig("+tcp", "host.test")).toContain("status: SERVFAIL");
    expect(performance.now() - asked).toBeLessThan(1000);
    upstream = startDnsmasq();
    await listening();
    expect(dig("+short", "host.test")).toBe("10.0.24.5\n");
  });

  test("the next one is asked: after a second and a half where it is silent, at once where it is closed", async () => {
    // 10.0.24.77 is nobody: packets to it vanish. 127.0.0.54 has no server.
    await serve("silent", "10.0.24.77", "127.0.0.53");
    await serve("closed", "127.0.0.54", "127.0.0.53");
    const asked = performance.now();
    expect(inside(["dig", "@127.0.0.11", "+short", "host.test"], "closed").stdout).toBe("10.0.24.5\n");
    expect(performance.now() - asked).toBeLessThan(1000);
    expect(inside(["dig", "@127.0.0.11", "+short", "host.test"], "silent").stdout).toBe("10.0.24.5\n");
    expect(performance.now() - asked).toBeGreaterThan(1400);
  });
});

describe("a hostile container", () => {
  test("sends garbage and answers, and is still served", () => {
    inside([
      "bash",
      "-c",
      "for i in $(seq 200); do head -c $((RANDOM % 600)) /dev/urandom >/dev/udp/127.0.0.11/53; done; " +
      "for i in $(seq 20); do head -c 300 /dev/urandom >/dev/tcp/127.0.0.11/53; done; true",
    ]);
    expect(dig("+short", "host.test")).toBe("10.0.24.5\n");
    expect(server.running).toBeTrue();
  });

  test("opens connections and says nothing: UDP goes on, and they are closed after a while", () => {
    const script =
      "for i in $(seq 40); do exec {fd}<>/dev/tcp/127.0.0.11/53; printf '\\0' >&$fd; done 2>/dev/null; sleep 1; " +
      "dig @127.0.0.11 +short +tries=1 host.test; sleep 11; dig @127.0.0.11 +tcp +short +tries=1 host.test";
    expect(inside(["bash", "-c", script]).stdout).toBe("10.0.24.5\n10.0.24.5\n");
  });

  test("floods it with questions: memory and descriptors stay bounded, and then all is well", async () => {
    const pid = await server.pid();
    const flood =
      "q='\\x12\\x34\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x04host\\x04test\\x00\\x00\\x01\\x00\\x01'; " +
      'end=$((SECONDS + 3)); exec 9<>/dev/udp/127.0.0.11/53; while [ $SECONDS -lt $end ]; do printf "$q" >&9; done';
    const floods = [1, 2, 3, 4].map(() => lab.spawn(["ip", "netns", "exec", "inside", "bash", "-c", flood]));
    let most = 0;
    while (floods.some(({ running }) => running)) {
      most = Math.max(most, readdirSync(`/proc/${pid}/fd`).length);
      await Bun.sleep(20);
    }
    expect(most).toBeLessThan(320);
    const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
    expect(kilobytes).toBeLessThan(200_000);
    // What still waits is answered first, by SERVFAIL where too much of it is on its way.
    await until("the backlog to be worked off", () => dig("+short", "host.test") === "10.0.24.5\n", { timeout: 2000 });
  });
});

test("no thread of the server has been left in the container's namespace", async () => {
  const pid = await server.pid();
  const homes = readdirSync(`/proc/${pid}/task`).map((task) => readlinkSync(`/proc/${pid}/task/${task}/ns/net`));
  expect(new Set(homes).size).toBe(1);
});
