/** What a container knows of names, through the built binary. */
import { expect, test } from "bun:test";
import { Lab, until } from "../lab.ts";

const file = (lab: Lab, path: string, ...flags: string[]) =>
  lab.skdocker("run", "--rm", ...flags, "busybox", "cat", path).stdout;

test("the host's file is copied, and each flag replaces its part", () => {
  const resolvConf = "nameserver 220.181.38.152\nsearch lab.test\noptions ndots:2\n";
  using lab = Lab.create({ resolvConf });
  const read = (...flags: string[]) => file(lab, "/etc/resolv.conf", ...flags);
  expect(read()).toBe(resolvConf);
  expect(read("--network", "ptp")).toBe(resolvConf);
  expect(read("--dns", "1.2.3.4")).toContain("nameserver 1.2.3.4\nsearch lab.test\n");
  expect(read("--dns-search", "other.test")).toContain("search other.test\n");
  expect(read("--dns-search", ".")).not.toContain("search");
  expect(read("--dns-option", "ndots:5")).toContain("options ndots:5\n");
  expect(read("--dns", "none")).not.toContain("nameserver");
});

test("hosts and hostname: what was asked for, the host's gateway, and the container's own name", () => {
  using lab = Lab.create();
  const hosts = file(lab, "/etc/hosts", "-h", "blue", "--add-host", "a.test:1.2.3.4", "--add-host", "h:host-gateway");
  expect(hosts).toMatch(/^1\.2\.3\.4\s+a\.test$/m);
  expect(hosts).toMatch(/^172\.16\.0\.1\s+h$/m);
  expect(hosts).toMatch(/^172\.16\.0\.2\s+blue$/m);
  expect(file(lab, "/etc/hostname", "-h", "blue")).toBe("blue\n");
});

for (const network of ["bridge", "ptp"]) {
  test(`a loopback resolver of the host answers at 127.0.0.11 on ${network}, UDP and TCP, and port 53 is free`, async () => {
    using lab = Lab.create({ resolvConf: "nameserver 127.0.0.53\n" });
    lab.spawn([
      "dnsmasq",
      "--keep-in-foreground",
      "--conf-file=/dev/null",
      "--user=root",
      "--pid-file=",
      "--no-resolv",
      "--no-hosts",
      "--bind-interfaces",
      "--listen-address=127.0.0.53",
      "--host-record=split.test,10.1.2.3",
    ]);
    await until("dnsmasq to listen", () => lab.run(["ss", "-lnuH"]).stdout.includes("127.0.0.53"));
    const script = `cat /etc/resolv.conf; nslookup -type=a split.test
      printf '\\0\\034\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\5split\\4test\\0\\0\\1\\0\\1' | nc -w 2 127.0.0.11 53 | od -An -tu1
      nc -l -p 53 </dev/null & sleep 0.2; netstat -lnt`;
    const { stdout, stderr } = lab.skdocker("run", "--rm", "--network", network, "busybox", "sh", "-c", script);
    expect(stderr).toBe("");
    expect(stdout).toContain("nameserver 127.0.0.11\n");
    expect(stdout).toMatch(/Address: 10\.1\.2\.3/);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain(" 10 1 2 3");
    expect(stdout).toMatch(/(0\.0\.0\.0|::):53 /);
  });
}
