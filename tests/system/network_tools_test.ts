/** Beside the real dockerd and the real ufw, in a lab of their own: whoever came first, and whatever they do afterwards. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Lab, type LabProcess } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";

/** Debian's, where scripts/setup has unpacked it. */
const DOCKER = join(import.meta.dir, "../../dist/docker");

function dockerEnvironment(): Record<string, string> {
  const libraries = readdirSync(join(DOCKER, "lib")).map((name) => join(DOCKER, "lib", name)).join(":");
  const system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return { PATH: `${DOCKER}/usr/sbin:${DOCKER}/usr/bin:${system}`, LD_LIBRARY_PATH: libraries };
}

/** Its rules are all that is wanted of it, so it gets no image and runs no container. */
async function startDockerd(lab: Lab): Promise<LabProcess> {
  const daemon = lab.spawn([
    ...["dockerd", "-H", `unix://${lab.directory}/docker.sock`, "--data-root", `${lab.directory}/docker`],
    ...["--exec-root", "/run/docker", "--pidfile", "/run/docker.pid", "--storage-driver", "vfs"],
  ], { env: dockerEnvironment() });
  await daemon.waitFor(/API listen on/, { timeout: 30_000 });
  return daemon;
}

async function stop(daemon: LabProcess): Promise<void> {
  await daemon.kill("SIGTERM");
  await daemon.ended();
}

const ping = (lab: Lab, ...flags: string[]) =>
  lab.skdocker("run", "--rm", ...flags, "busybox", "ping", "-c1", "-W2", lab.internetAddress);

const fetch = (lab: Lab, ...flags: string[]) =>
  lab.skdocker("run", "--rm", ...flags, "busybox", "sh", "-c", "timeout 2 wget -q -O- http://220.181.38.152/; exit $?");

const QUIET = { code: 0, stderr: "" };

for (const bridgeNetfilter of [0, 1] as const) {
  test(
    `dockerd before the first start, restarted and flushed, bridge-nf-call-iptables ${bridgeNetfilter}`,
    async () => {
      using lab = Lab.create({ bridgeNetfilter });
      let daemon = await startDockerd(lab);
      expect(lab.output(["iptables-nft", "-S", "FORWARD"])).toContain("-P FORWARD DROP");
      const users = lab.output(["iptables-nft", "-S", "DOCKER-USER"]);
      const dry = lab.skdocker("run", "--rm", "--dry-run", "busybox", "true").stderr;
      expect(dry.match(/^nft insert rule ip filter DOCKER-USER .*skbr0/gm)).toHaveLength(2);
      for (const network of ["bridge", "ptp", "bridge"]) expect(ping(lab, "--network", network)).toMatchObject(QUIET);
      expect(lab.ip("address", "show", "docker0")[0].addr_info[0].local).toBe("172.17.0.1");
      const [one, two, pair] = [
        new ContainerShell(lab),
        new ContainerShell(lab),
        new ContainerShell(lab, "--network", "ptp"),
      ];
      const other = new ContainerShell(lab, "--network", "ptp");
      expect(await one.reaches(await two.address())).toBe(true);
      expect(await pair.reaches(await other.address())).toBe(true);
      await stop(daemon);
      daemon = await startDockerd(lab);
      for (const shell of [one, pair]) expect(await shell.reaches(lab.internetAddress)).toBe(true);
      lab.shell("iptables-nft -F DOCKER-USER");
      expect(await one.reaches(lab.internetAddress)).toBe(false);
      expect(ping(lab)).toMatchObject(QUIET); // which makes it right for those that run, too
      for (const shell of [one, pair]) expect(await shell.reaches(lab.internetAddress)).toBe(true);
      const handle = lab.shell(`nft -a list chain ip filter DOCKER-USER | sed -n 's/.*iifname "skbr0".*# handle //p'`);
      lab.shell(`nft delete rule ip filter DOCKER-USER handle ${handle}`);
      expect(lab.skdocker("net", "reset")).toMatchObject(QUIET);
      expect(await one.reaches(lab.internetAddress)).toBe(true);
      for (const shell of [one, two, pair, other]) await shell.exit();
      await stop(daemon);
      daemon = await startDockerd(lab); // what it adds to its own chain is its own again
      expect(lab.skdocker("net", "reset", "--purge")).toMatchObject(QUIET);
      expect(lab.output(["iptables-nft", "-S", "DOCKER-USER"])).toBe(users);
      expect(lab.output(["nft", "list", "ruleset"])).not.toContain("skdocker");
      await stop(daemon);
    },
    60_000,
  );
}

test("dockerd after the first start: those that run are let through by the next start", async () => {
  using lab = Lab.create();
  const running = new ContainerShell(lab);
  expect(await running.reaches(lab.internetAddress)).toBe(true);
  const daemon = await startDockerd(lab);
  expect(await running.reaches(lab.internetAddress)).toBe(false);
  expect(ping(lab)).toMatchObject(QUIET);
  expect(await running.reaches(lab.internetAddress)).toBe(true);
  await running.exit();
  await stop(daemon);
}, 60_000);

for (const bridgeNetfilter of [0, 1] as const) {
  test(`ufw: one line with its own command, which helps, with bridge-nf-call-iptables ${bridgeNetfilter}`, async () => {
    using lab = Lab.create({ bridgeNetfilter });
    lab.shell(`cp -a /etc/ufw ${lab.directory}/ufw; mount --bind ${lab.directory}/ufw /etc/ufw; ufw --force enable`);
    for (const network of ["bridge", "ptp"]) {
      const { code, stderr } = fetch(lab, "--network", network);
      expect([network, code === 0, stderr.match(/^skdocker: /gm)?.length]).toEqual([network, false, 1]);
      expect(stderr).toContain(`chain "FORWARD" of table "ip filter" drops what containers send`);
      lab.shell(/to let it pass: (ufw route allow .*)/.exec(stderr)?.[1] ?? "false");
      expect(fetch(lab, "--network", network)).toMatchObject(QUIET);
    }
    lab.shell("ufw reload");
    const [one, two] = [new ContainerShell(lab), new ContainerShell(lab)];
    expect(await one.reaches(await two.address())).toBe(true);
    expect(fetch(lab)).toMatchObject(QUIET);
    for (const shell of [one, two]) await shell.exit();
    const rules = lab.output(["iptables-save"]).replaceAll(/^#.*\n|\[\d+:\d+\]/gm, "");
    expect(lab.skdocker("net", "reset", "--purge")).toMatchObject(QUIET);
    expect(lab.output(["iptables-save"]).replaceAll(/^#.*\n|\[\d+:\d+\]/gm, "")).toBe(rules);
  });
}
