/** Kernels that lack something: its answer is put in the place of this kernel's by strace(1), at the very call. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Ended, Lab } from "../lab.ts";

let lab: Lab;
beforeAll(() => {
  lab = Lab.create();
});
afterAll(() => lab[Symbol.dispose]());

/** Runs skdocker with one call answered by an error: `fsopen:error=ENODEV:when=1`. */
function without(injected: string, ...words: string[]): Ended {
  const call = injected.slice(0, injected.indexOf(":"));
  return lab.run([
    "strace",
    "-f",
    "-q",
    "-o",
    "/dev/null",
    "-e",
    `trace=${call}`,
    "-e",
    `inject=${injected}`,
    lab.binary,
    ...words,
  ]);
}

/** The how manieth socket of skdocker's, if it goes on undisturbed, is the first for nf_tables. */
function netfilterSocket(...words: string[]): number {
  const trace = `${lab.directory}/trace`;
  lab.output(["strace", "-f", "-q", "-o", trace, "-e", "trace=socket", lab.binary, ...words]);
  const sockets = lab.output(["grep", "socket(", trace]).split("\n");
  return sockets.findIndex((line) => line.includes("NETLINK_NETFILTER")) + 1;
}

const RUN = ["run", "--rm", "busybox", "true"];

describe("a run on a kernel that lacks something is refused in one sentence, and nothing stays of it", () => {
  test.each([
    ["fsopen:error=ENODEV:when=1", 'this kernel has no overlay file system, is the module "overlay" there?'],
    ["openat2:error=ENOSYS", "this kernel is too old, Linux 5.10 is needed"],
    ["move_mount:error=ENOSYS", "this kernel is too old, Linux 5.10 is needed"],
    ["unshare:error=EINVAL", 'Cannot make "a network namespace": EINVAL (Invalid argument)'],
    ["seccomp:error=EINVAL", 'Cannot load "the seccomp filter": EINVAL (Invalid argument)'],
  ])("%s", async (injected, sentence) => {
    expect(lab.skdocker(...RUN).code).toBe(0);
    const before = await lab.settled();
    const refused = without(injected, ...RUN);
    expect([refused.code, refused.stdout]).toEqual([125, ""]);
    expect(refused.stderr).toMatch(/^skdocker: [^\n]+\n$/);
    expect(refused.stderr).toContain(sentence);
    await lab.unchanged(before, { except: /\/networks\/bridge\/cursor/ });
  });

  test("no nf_tables, on a host that skdocker has never been on", async () => {
    lab.output([lab.binary, "net", "reset", "--purge"]);
    const before = await lab.settled();
    const which = netfilterSocket("run", "--dry-run", "busybox", "true");
    expect(which).toBeGreaterThan(0);
    const refused = without(`socket:error=EPROTONOSUPPORT:when=${which}`, ...RUN);
    expect([refused.code, refused.stdout]).toEqual([125, ""]);
    expect(refused.stderr).toContain('this kernel has no nf_tables, is the module "nf_tables" there?');
    await lab.unchanged(before);
  });
});

describe("on a kernel without mount_setattr, as Linux 5.10 is", () => {
  const MOUNTS =
    'cut -d" " -f5- /proc/self/mountinfo | sed "s/[0-9a-f]\\{64\\}/ID/g"; stat -c "%A %n" /dev/* /etc/hosts';

  beforeAll(() => {
    expect(lab.skdocker(...RUN).code).toBe(0);
    // Shared, as systemd has all mounts of a host: what a container mounts must not appear there.
    lab.shell(`
      mkdir -p ${lab.rootfs}/bin ${lab.directory}/volume ${lab.directory}/nested/inside
      cp /bin/busybox ${lab.rootfs}/bin; for applet in sh cut sed stat mount mkdir; do ln -s busybox ${lab.rootfs}/bin/$applet; done
      mount --bind ${lab.rootfs} ${lab.rootfs}; mount --make-shared ${lab.rootfs}
      mount --bind ${lab.directory}/volume ${lab.directory}/volume; mount --make-shared ${lab.directory}/volume
      mount -o remount,bind,noexec,nosymfollow ${lab.directory}/volume
      mount -t tmpfs tmpfs ${lab.directory}/nested/inside`);
  });

  const kinds: Record<string, () => string[]> = {
    "a plain one": () => ["busybox"],
    "one that is read-only": () => ["--read-only", "busybox"],
    "one in a directory": () => [lab.rootfs],
    "one in a directory that is read-only": () => ["--read-only", "--rootfs", lab.rootfs],
    "one with volumes": () => [
      ...["-v", `${lab.directory}/volume:/a`, "-v", `${lab.directory}/volume:/deep/er/b:ro`],
      ...["-v", `${lab.directory}/ready:/a/file:ro`, "--tmpfs", "/scratch", "busybox"],
    ],
    "one with a terminal and an init": () => ["-t", "--init", "busybox"],
    "one that may mount": () => ["--cap-add", "SYS_ADMIN", "-v", `${lab.directory}/volume:/a`, "busybox"],
    "one that is privileged": () => ["--privileged", "-v", `${lab.directory}/volume:/a`, lab.rootfs],
  };

  test.each(Object.keys(kinds))("%s has the same mounts as on this one", async (kind) => {
    const words = ["run", "--rm", ...(kinds[kind] as () => string[])(), "sh", "-c", MOUNTS];
    const here = lab.skdocker(...words);
    const before = await lab.settled();
    const there = without("mount_setattr:error=ENOSYS", ...words);
    expect(there).toEqual(here);
    expect(here).toMatchObject({ code: 0, stderr: "" });
    expect(here.stdout).toMatch(/^\/ r/m);
    await lab.unchanged(before, { except: /\/networks\/bridge\/cursor/ });
  });

  test("what a container mounts below a volume that is shared stays its own", async () => {
    const before = await lab.settled();
    const script = "mkdir -p /mnt; mount -t tmpfs tmpfs /a && mount -t tmpfs tmpfs /mnt";
    for (const root of ["busybox", lab.rootfs]) {
      lab.shell(`mkdir -p ${lab.rootfs}/mnt`);
      const words = ["run", "--rm", "--privileged", "-v", `${lab.directory}/volume:/a`, root, "sh", "-c", script];
      expect(without("mount_setattr:error=ENOSYS", ...words)).toMatchObject({ code: 0, stderr: "" });
      lab.shell(`rmdir ${lab.rootfs}/mnt`);
    }
    await lab.unchanged(before, { except: /\/networks\/bridge\/cursor/ });
  });

  test("no volume that lies on the way to the process's own descriptors is settled in another's place", () => {
    // A link of the root file system leads the volume there, and every number in it leads on: to the root, or to /sys.
    for (const [at, below] of [["/proc/1/fd", ""], ["/proc/1", "/fd"], ["/proc/self/fd", ""]]) {
      for (const leadsTo of ["/", "/sys", "/proc"]) {
        lab.shell(`
          rm -rf ${lab.rootfs}/vol ${lab.directory}/trap; ln -s ${at} ${lab.rootfs}/vol; mkdir -p ${lab.directory}/trap${below}
          for n in $(seq 3 150); do ln -s ${leadsTo} ${lab.directory}/trap${below}/$n; done`);
        const words = ["run", "--rm", "-v", `${lab.directory}/trap:/vol:ro`, lab.rootfs, "sh", "-c", MOUNTS];
        const here = lab.skdocker(...words);
        expect(without("mount_setattr:error=ENOSYS", ...words)).toEqual(here);
        if (here.code === 0) expect(here.stdout).toMatch(/^\/proc\/[^ ]+ ro,nodev/m);
      }
    }
    lab.shell(`rm ${lab.rootfs}/vol`);
  });

  test("what a mount hides is no reason to refuse it", () => {
    const hides = `${lab.directory}/hides`;
    lab.shell(`mkdir -p ${hides}/below; mount -t tmpfs tmpfs ${hides}/below; mount -t tmpfs tmpfs ${hides}`);
    const words = ["run", "--rm", "-v", `${hides}:/a`, "busybox", "sh", "-c", MOUNTS];
    expect(without("mount_setattr:error=ENOSYS", ...words)).toEqual(lab.skdocker(...words));
    lab.shell(`umount ${hides}; umount ${hides}/below`);
  });

  test("a volume with something mounted below is refused: that would keep its device nodes", async () => {
    const before = await lab.settled();
    const words = ["run", "--rm", "-v", `${lab.directory}/nested:/a`, "busybox", "true"];
    expect(lab.skdocker(...words)).toMatchObject({ code: 0, stderr: "" });
    const refused = without("mount_setattr:error=ENOSYS", ...words);
    expect([refused.code, refused.stdout]).toEqual([125, ""]);
    expect(refused.stderr).toBe(
      `skdocker: Something is mounted below "${lab.directory}/nested", on "${lab.directory}/nested/inside", ` +
        "which only Linux 5.12 and later can give to a container\n",
    );
    await lab.unchanged(before, { except: /\/networks\/bridge\/cursor/ });
  });
});

describe("info", () => {
  test("finds all that this kernel has by using it, and changes nothing", async () => {
    const before = await lab.settled();
    const { kernelFeatures } = JSON.parse(lab.output([lab.binary, "info", "--format", "json"]));
    lab.expectUnchanged(before);
    expect(kernelFeatures).toMatchObject({
      networkNamespaces: "present",
      bridge: "present",
      veth: "present",
      nftables: "present",
      nftablesNat: "present",
    });
    expect(kernelFeatures.overlay).toBe("present");
    expect(lab.run(["grep", "-q", "overlay", "/proc/filesystems"]).code).toBe(0);
  });

  test("says what is missing, and what is lost by that", () => {
    const which = netfilterSocket("info");
    const { stdout } = without(`socket:error=EPROTONOSUPPORT:when=${which}`, "info");
    expect(stdout).toContain(
      " Nftables: missing: EPROTONOSUPPORT, containers can have --network none and host alone\n",
    );
    expect(stdout).toContain(" Veth: present\n");
    expect(without("fsopen:error=ENODEV", "info").stdout).toContain(
      " Overlay: missing: the built-in busybox cannot be run",
    );
    expect(without("unshare:error=EINVAL", "info").stdout).toContain(
      " Network Namespaces: missing: EINVAL, only --network host can be used\n",
    );
  });
});
