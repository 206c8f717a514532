/** Beside other firewalls, through the built binary: what drops is told, the remedy helps, dockerd's own door is used. */
import { expect, test } from "bun:test";
import { Lab } from "../lab.ts";

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
