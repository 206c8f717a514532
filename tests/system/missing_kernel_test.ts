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
    ["openat2:error=ENOSYS", "this kernel is too old, Linux 5.12 is needed"],
    ["move_mount:error=ENOSYS", "this kernel is too old, Linux 5.12 is needed"],
    ["mount_setattr:error=ENOSYS", "this kernel is too old, Linux 5.12 is needed"],
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
