/** Beside other firewalls, through the built binary: what drops is told, the remedy helps, dockerd's own door is used. */
import { expect, test } from "bun:test";
import { Lab } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";

const ping = (lab: Lab) => lab.skdocker("run", "--rm", "busybox", "ping", "-c1", "-W1", lab.internetAddress);

for (const iptables of ["iptables-nft", "iptables-legacy"]) {
  for (const when of ["before", "after"]) {
    test(`${iptables} -P FORWARD DROP ${when} the first start: one line with a remedy, and following it silences it`, () => {
      using lab = Lab.create();
      if (when === "after") expect(ping(lab)).toMatchObject({ code: 0, stderr: "" });
      lab.shell(`${iptables} -P FORWARD DROP`);
      const { code, stderr } = ping(lab);
      expect(code).not.toBe(0);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(stderr).toContain(`chain "FORWARD" of table "ip filter"`);
      const remedy = /to let it pass: (.*)/.exec(stderr)?.[1] ?? "";
      expect(remedy).toContain("-I FORWARD -i skbr0 -j ACCEPT");
      lab.shell(remedy.replaceAll(/iptables(-legacy)? /g, `${iptables} `));
      expect(ping(lab)).toMatchObject({ code: 0, stderr: "" });
    });
  }
}

test("dockerd's FORWARD DROP: rules in DOCKER-USER, traffic passes, and purge takes them back", async () => {
  using lab = Lab.create();
  lab.shell(`iptables-nft -N DOCKER-USER; iptables-nft -A DOCKER-USER -j RETURN
    iptables-nft -P FORWARD DROP; iptables-nft -I FORWARD -j DOCKER-USER`);
  const before = lab.snapshot();
  expect(ping(lab)).toMatchObject({ code: 0, stderr: "" });
  const rules = () => lab.output(["iptables-nft", "-S", "DOCKER-USER"]);
  expect(rules().match(/skbr0/g)).toHaveLength(2);
  expect(ping(lab)).toMatchObject({ code: 0, stderr: "" });
  expect(rules().match(/skbr0/g)).toHaveLength(2);
  expect(lab.skdocker("net", "reset", "--purge").code).toBe(0);
  await lab.unchanged(before);
});

test("a table of one's own that drops is named, with the nft command that helps", () => {
  using lab = Lab.create();
  lab.shell(`nft add table inet mine
    nft 'add chain inet mine through { type filter hook forward priority 10; policy drop; }'`);
  const { stderr } = ping(lab);
  expect(stderr).toContain(`chain "through" of table "inet mine"`);
  lab.shell(/to let it pass: (.*)/.exec(stderr)?.[1] ?? "false");
  expect(ping(lab)).toMatchObject({ code: 0, stderr: "" });
});

for (
  const [name, rules] of [
    ["the last rule of iptables-legacy rejects", "iptables-legacy -A FORWARD -j REJECT"],
    ["iptables drops by its policy", "iptables-nft -P FORWARD DROP"],
    [
      "a rule of nftables' own rejects",
      `nft 'add table inet mine'; nft 'add chain inet mine allowed'; nft 'add rule inet mine allowed accept'
       nft 'add chain inet mine through { type filter hook forward priority 10; policy accept; }'
       nft 'add rule inet mine through ct state vmap { established : accept, related : accept, invalid : drop }'
       nft 'add rule inet mine through iifname vmap { "lan0" : accept, "lan1" : goto allowed }'
       nft 'add rule inet mine through reject with icmpx admin-prohibited'`,
    ],
  ] as const
) {
  test(`where ${name}, both networks are told in one line what lets them pass, and it does`, async () => {
    using lab = Lab.create();
    const pair = new ContainerShell(lab, "--network", "ptp");
    expect(await pair.reaches(lab.internetAddress)).toBe(true);
    lab.shell(rules);
    for (const network of ["bridge", "ptp"]) {
      const run = () =>
        lab.skdocker("run", "--rm", "--network", network, "busybox", "ping", "-c1", "-W1", lab.internetAddress);
      const { code, stderr } = run();
      expect([network, code === 0, stderr.trim().split("\n").length]).toEqual([network, false, 1]);
      lab.shell(/to let it pass: (.*)/.exec(stderr)?.[1] ?? "false");
      expect(run()).toMatchObject({ code: 0, stderr: "" });
    }
    expect(await pair.reaches(lab.internetAddress)).toBe(true);
    await pair.exit();
  });
}

test("with bridge-nf-call-iptables 1, what drops between two containers alone is told as well, and the remedy helps", async () => {
  using lab = Lab.create({ bridgeNetfilter: 1 });
  lab.shell(`iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -i skbr0 -o eth0 -j ACCEPT
    iptables-nft -A FORWARD -i eth0 -o skbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`);
  const [one, two] = [new ContainerShell(lab), new ContainerShell(lab)];
  const second = await two.address();
  expect(await one.reaches(second)).toBe(false);
  expect(one.run.stderr).toContain("by its policy (from one to another)");
  lab.shell(/to let it pass: (.*)/.exec(one.run.stderr)?.[1] ?? "false");
  expect(await one.reaches(second)).toBe(true);
  expect(ping(lab)).toMatchObject({ code: 0, stderr: "" });
  for (const shell of [one, two]) await shell.exit();
});
