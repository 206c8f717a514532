/** resolv.conf, hosts, hostname and the name server at 127.0.0.11, as a container finds them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ContainerShell } from "../lab/shell.ts";
import { Lab, until } from "../lab.ts";

/** What a container prints, which must end well. */
function printed(lab: Lab, flags: readonly string[], ...command: string[]): string {
  return lab.output([lab.binary, "run", "--rm", ...flags, "busybox", ...command]);
}

/** The lines of a resolv.conf that count. */
function said(text: string): string[] {
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

describe("on a host whose resolver everyone reaches", () => {
  let lab: Lab;
  const file = "# the host's\nnameserver 220.181.38.152\nsearch lab.example\noptions timeout:2\n";
  beforeAll(() => void (lab = Lab.create({ resolvConf: file })));
  afterAll(() => lab[Symbol.dispose]());

  test("every network has the host's file, byte for byte", () => {
    for (const network of ["bridge", "ptp", "host", "none"]) {
      expect(printed(lab, ["--network", network], "cat", "/etc/resolv.conf")).toBe(file);
    }
  });

  test("names are found, and with --dns none they are not", () => {
    expect(printed(lab, [], "ping", "-c", "1", "baidu.com")).toContain("220.181.38.152");
    for (const flags of [["--dns", "none"], ["--dns", "none", "--network", "host"], ["--network", "none"]]) {
      const { code, stderr } = lab.skdocker("run", "--rm", ...flags, "busybox", "ping", "-c", "1", "baidu.com");
      expect(stderr).toContain("bad address");
      expect(code).toBe(1);
    }
  });

  test("--dns, --dns-search and --dns-option replace their part and leave the others", () => {
    const conf = (...flags: string[]) => said(printed(lab, flags, "cat", "/etc/resolv.conf"));
    expect(conf("--dns", "9.9.9.9", "--dns", "2001:db8::1")).toEqual([
      "nameserver 9.9.9.9",
      "nameserver 2001:db8::1",
      "search lab.example",
      "options timeout:2",
    ]);
    expect(conf("--dns-search", "a.example", "--dns-search", "b.example")).toContain("search a.example b.example");
    expect(conf("--dns-search", ".", "--dns-option", "ndots:3")).toEqual([
      "nameserver 220.181.38.152",
      "options ndots:3",
    ]);
  });

  test("--dns-search completes a name", () => {
    expect(printed(lab, ["--dns-search", "test"], "ping", "-c", "1", "lab")).toContain("10.0.24.1");
  });

  test("the hosts file has the container and what was added; the hostname is its own", () => {
    const shown = printed(
      lab,
      ["-h", "web.example", "--ip", "172.16.9.9", "--add-host", "db:10.1.2.3", "--add-host", "outer:host-gateway"],
      ...["sh", "-c", "cat /etc/hosts; cat /etc/hostname; hostname; ping -c 1 web; ping -c 1 outer"],
    );
    expect(shown).toContain("10.1.2.3\tdb\n172.16.0.1\touter\n172.16.9.9\tweb.example web\nweb.example\nweb.example\n");
    expect(shown).toContain("PING web (172.16.9.9)");
    expect(shown).toContain("PING outer (172.16.0.1)");
  });

  test("on the host's network the host's own hosts file is added to", () => {
    const hosts = printed(lab, ["--network", "host", "--add-host", "db:10.1.2.3"], "cat", "/etc/hosts");
    expect(hosts).toBe(`${lab.output(["cat", "/etc/hosts"])}10.1.2.3\tdb\n`);
  });

  test("who shares a container's network shares its names", async () => {
    const shell = new ContainerShell(lab, "--name", "shared", "-h", "shared.example");
    await shell.type("true");
    expect(printed(lab, ["--network", "container:shared"], "sh", "-c", "hostname; tail -n 1 /etc/hosts")).toMatch(
      /^shared\.example\n172\.16\.[0-9.]+\tshared\.example shared\n$/,
    );
    await shell.exit();
  });

  test("nothing a word brings can add a line", () => {
    for (
      const flags of [
        ["--dns-search", "a\nnameserver 6.6.6.6"],
        ["--dns-option", "a b"],
        ["--add-host", "a\n6.6.6.6 bank:1.2.3.4"],
        ["-h", "a\nb"],
      ]
    ) {
      expect(lab.skdocker("run", "--rm", ...flags, "busybox", "true").code).toBe(125);
    }
  });
});

describe("on a host whose resolver listens on its loopback", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = Lab.create({ resolvConf: "nameserver 127.0.0.53\nsearch corp.example\n" });
    lab.spawn([
      ...["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--no-resolv"],
      ...["--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.53", "--cache-size=0"],
      ...["--host-record=intern.corp.example,10.0.24.9", "--server=220.181.38.152"],
    ]);
    await until("the resolver", () => lab.output(["ss", "-lnutH"]).split("127.0.0.53:53 ").length === 3);
  });
  afterAll(() => lab[Symbol.dispose]());

  /** The first process of the one container that runs, as the lab sees it. */
  function containerPid(): number {
    return JSON.parse(lab.shell("tail -qn 1 /run/skdocker/containers/*")).process.pid;
  }

  test("bridge and ptp ask 127.0.0.11, and find the host's own names and the world's", () => {
    for (const network of ["bridge", "ptp"]) {
      const flags = ["--network", network];
      expect(said(printed(lab, flags, "cat", "/etc/resolv.conf"))).toEqual([
        "nameserver 127.0.0.11",
        "search corp.example",
      ]);
      expect(printed(lab, flags, "ping", "-c", "1", "baidu.com")).toContain("PING baidu.com (220.181.38.152)");
      expect(printed(lab, flags, "nslookup", "-type=a", "intern.corp.example")).toContain("10.0.24.9");
    }
  });

  test("it answers by TCP as well, and leaves nothing behind", async () => {
    const before = await lab.settled();
    const shell = new ContainerShell(lab, "--name", "tcp");
    await shell.type("true");
    const pid = containerPid();
    for (const protocol of ["+tcp", "+notcp"]) {
      expect(lab.netnsOf(pid, ["dig", "@127.0.0.11", protocol, "+short", "baidu.com"]).stdout).toBe("220.181.38.152\n");
    }
    await shell.exit();
    await lab.unchanged(before, { except: /^[+-] files: / });
  });

  test("a server in the container's network binds 0.0.0.0:53, by UDP and TCP, beside it", async () => {
    const shell = new ContainerShell(lab);
    await shell.type("true");
    const inside = ["nsenter", "--net", `--target=${containerPid()}`, "--"];
    lab.spawn([
      ...[...inside, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file="],
      ...["--no-resolv", "--no-hosts", "--host-record=own.test,10.9.9.9"],
    ]);
    await until("the server", () => lab.output([...inside, "ss", "-lnutH"]).split("0.0.0.0:53 ").length === 3);
    const ask = (...words: string[]) => lab.output([...inside, "dig", "+short", ...words]);
    for (const protocol of ["+tcp", "+notcp"]) {
      expect(ask(protocol, "@127.0.0.1", "own.test")).toBe("10.9.9.9\n");
      expect(ask(protocol, "@127.0.0.11", "intern.corp.example")).toBe("10.0.24.9\n");
    }
    expect((await shell.type("nslookup -type=a own.test 127.0.0.1")).output).toContain("10.9.9.9");
    expect((await shell.type("nslookup -type=a intern.corp.example")).output).toContain("10.0.24.9");
    await shell.exit();
  });

  test("none has no name server: it would be a way out", () => {
    const { stderr } = lab.skdocker("run", "--rm", "--network", "none", "busybox", "ping", "-c", "1", "baidu.com");
    expect(stderr).toContain("bad address");
    expect(said(printed(lab, ["--network", "none"], "cat", "/etc/resolv.conf"))[0]).toBe("nameserver 127.0.0.53");
  });

  test("--dns asks whom it names, without a forwarder", () => {
    const flags = ["--dns", "220.181.38.152"];
    expect(said(printed(lab, flags, "cat", "/etc/resolv.conf"))[0]).toBe("nameserver 220.181.38.152");
    expect(lab.skdocker("run", "--rm", ...flags, "busybox", "ping", "-c", "1", "baidu.com").code).toBe(0);
  });
});
