/** What a container has and cannot reach: namespaces, capabilities, devices, /proc and /sys, its control group. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { ContainerShell } from "../lab/shell.ts";
import { makeRootfs, proberBytes, results, TAKE_PROBER } from "../lab/prober.ts";
import { Lab, until } from "../lab.ts";

let lab: Lab;
let root: string;
beforeAll(() => {
  lab = Lab.create();
  root = makeRootfs(`${lab.directory}/root`);
});
afterAll(() => lab[Symbol.dispose]());

/** What a script prints in a container on the prober's root. */
function inside(flags: readonly string[], script: string, options: { network?: string } = {}): string {
  const network = ["--network", options.network ?? "none"];
  const command = [
    lab.binary,
    "run",
    "--rm",
    ...network,
    ...flags,
    root,
    "/bin/busybox",
    "sh",
    "-c",
    `{ ${script}; } 2>&1`,
  ];
  return lab.run(command, { timeout: 20_000 }).stdout;
}

/** The same in a container of the built-in busybox without a flag, which is started by a program made at build time. */
function insidePlain(script: string): string {
  const argv = [lab.binary, "run", "-i", "busybox", "sh", "-c", `${TAKE_PROBER}; { ${script}; } 2>&1 </dev/null`];
  return lab.run(argv, { stdin: proberBytes() }).stdout;
}

describe("namespaces", () => {
  test("no thread of skdocker is ever in a namespace that is not the host's, while a container runs", async () => {
    const shell = new ContainerShell(lab);
    await shell.output("true");
    const pid = await shell.run.pid();
    for (const kind of ["net", "mnt", "pid", "uts", "ipc", "cgroup", "user"]) {
      const tasks = readdirSync(`/proc/${pid}/task`);
      const seen = new Set(tasks.map((task) => readlinkSync(`/proc/${pid}/task/${task}/ns/${kind}`)));
      const first = lab.output(["readlink", `/proc/self/ns/${kind}`]).trim();
      expect([kind, [...seen]]).toEqual([kind, [first]]);
    }
    const own = readlinkSync(`/proc/${await shell.machinePid()}/ns/net`);
    expect(own).not.toBe(readlinkSync(`/proc/${pid}/ns/net`));
    await shell.exit();
  });

  test("all but the user namespace are the container's own, with --network host all but that too", () => {
    const kinds = ["net", "mnt", "pid", "uts", "ipc", "cgroup", "user"];
    const list = (output: string) => results(output.replaceAll("\t", " "));
    const script = kinds.map((kind) => `echo "${kind} $(readlink /proc/self/ns/${kind})"`).join("; ");
    const host = list(lab.output(["sh", "-c", script]));
    const plain = list(insidePlain(script.replaceAll("readlink", "busybox readlink")));
    expect(kinds.filter((kind) => plain[kind] === host[kind])).toEqual(["user"]);
    const own = (flags: { network?: string }) => {
      const answers = list(inside([], script.replaceAll("readlink", "busybox readlink"), flags));
      return kinds.filter((kind) => answers[kind] !== host[kind]);
    };
    expect(own({ network: "bridge" })).toEqual(kinds.filter((kind) => kind !== "user"));
    expect(own({ network: "host" })).toEqual(kinds.filter((kind) => kind !== "user" && kind !== "net"));
  });

  test("skdocker is not dumpable while a container runs: its equals cannot look into it", async () => {
    // Equals in every right, and none may trace others because of a right: then the kernel asks whether it is dumpable.
    const equal = ["setpriv", "--bounding-set", "-sys_ptrace"];
    const running = lab.spawn([...equal, lab.binary, "run", "--rm", "-i", "--network", "none", "busybox", "cat"], {
      stdin: "pipe",
    });
    running.write("up\n");
    await running.waitFor(/up/);
    const ordinary = lab.spawn([...equal, "sleep", "100"]);
    const look = async (at: typeof running, file: string) =>
      lab.run([...equal, "readlink", `/proc/${await at.labPid()}/${file}`]).stdout;
    for (const file of ["exe", "root", "cwd", "fd/0"]) {
      expect(await look(ordinary, file)).not.toBe("");
      expect([file, await look(running, file)]).toEqual([file, ""]);
    }
    await ordinary.kill();
    running.closeStdin();
    expect((await running.ended()).code).toBe(0);
  });

  test("the container's own namespace has parameters of its own, whatever the host's are", () => {
    lab.shell(
      "sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=2 net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.default.route_localnet=1",
    );
    try {
      const names = [
        "ip_forward",
        "conf/all/forwarding",
        "conf/all/rp_filter",
        "conf/all/route_localnet",
        "conf/default/route_localnet",
      ];
      const read = names.map((name) => `cat /proc/sys/net/ipv4/${name}`).join("; ");
      expect(inside([], read).trim().split("\n")).toEqual(["0", "0", "0", "0", "0"]);
      const eth0 =
        "for n in forwarding rp_filter route_localnet; do cat /proc/sys/net/ipv4/conf/eth0/$n; done; cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6";
      expect(inside([], eth0, { network: "bridge" }).trim().split("\n")).toEqual(["0", "0", "0", "1"]);
      expect(inside([], eth0, { network: "ptp" }).trim().split("\n")).toEqual(["0", "0", "0", "1"]);
    } finally {
      lab.shell(
        "sysctl -qw net.ipv4.conf.all.forwarding=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.all.route_localnet=0 net.ipv4.conf.default.route_localnet=0",
      );
    }
  });
});

describe("rights", () => {
  const capabilities = (flags: readonly string[]) =>
    Object.fromEntries(
      inside(flags, "grep -E '^Cap' /proc/self/status").trim().split("\n").map((line) => line.split(":\t")),
    );
  const FOURTEEN = "00000000a80425fb";
  const NONE = "0000000000000000";

  test("root has docker's fourteen capabilities in three sets, and none to hand down or to keep", () => {
    expect(capabilities([])).toEqual({
      CapInh: NONE,
      CapPrm: FOURTEEN,
      CapEff: FOURTEEN,
      CapBnd: FOURTEEN,
      CapAmb: NONE,
    });
    expect(insidePlain("grep -E '^Cap' /proc/self/status")).toBe(inside([], "grep -E '^Cap' /proc/self/status"));
    expect(capabilities(["-u", "1000"])).toEqual({
      CapInh: NONE,
      CapPrm: NONE,
      CapEff: NONE,
      CapBnd: FOURTEEN,
      CapAmb: NONE,
    });
    expect(capabilities(["--cap-drop", "ALL"])).toMatchObject({ CapPrm: NONE, CapBnd: NONE });
  });

  test("a set-uid program gives no more than the bounding set, and with no_new_privs nothing", () => {
    lab.shell(`cp ${root}/bin/busybox ${root}/bin/busybox-setuid && chmod 4755 ${root}/bin/busybox-setuid`);
    const script = "/bin/busybox-setuid sh -c 'id -u; grep CapEff /proc/self/status'";
    // busybox gives up its rights by itself but for the applets that need them: grep's numbers are asked of the kernel.
    const shown = inside(["-u", "1000"], script);
    expect(shown).not.toContain("000001ff");
    const kept = inside(
      ["-u", "1000", "--security-opt", "no-new-privileges"],
      `grep NoNewPrivs /proc/self/status; ${script}`,
    );
    expect(kept).toStartWith("NoNewPrivs:\t1\n1000\n");
    expect(kept).toContain(`CapEff:\t${NONE}`);
    lab.shell(`rm ${root}/bin/busybox-setuid`);
  });

  test("what root may not do: the host's clock, modules, kernel log, other mounts, a raw disk, a reboot", () => {
    const lines = [
      "date -s 2001-01-01",
      "dmesg",
      "mount -t tmpfs x /tmp",
      "mount -o remount,rw /proc/sys",
      "mount -o bind / /tmp",
      "umount /etc/hosts",
      "umount -l /proc/sys",
      "swapon /bin/busybox",
      "hostname other",
      "renice -n -10 1",
      "reboot -f -n",
      "ip link set lo down",
      "ip link add br9 type bridge",
      "chroot /proc/1/root/../.. /bin/prober node b 7 0 /other",
    ];
    for (const line of lines) {
      const answer = inside([], `busybox ${line}`);
      expect(`${line}: ${answer}`).toMatch(/not permitted|ermission denied|must be root|EACCES/);
    }
  });
});

test("the session keyring is a new one: the caller's keys are not found there, even without a seccomp filter", () => {
  const find = (flags: string) => `${lab.binary} run --rm --network none ${flags} ${root} /bin/prober key`;
  const script = `${find("--privileged")}; ${find("")}; ${root}/bin/prober key`;
  const told = lab.output([`${root}/bin/prober`, "key", "/bin/sh", "-c", script]);
  expect(told).toBe("add ok\nfind ENOKEY\nfind EPERM\nfind ok\n");
});

describe("devices", () => {
  test("a node that the container makes does not open, wherever it lies, a mount of the user's included", () => {
    lab.shell(`mkdir -p ${lab.directory}/shared`);
    const places = ["/", "/dev/", "/dev/shm/", "/tmp/", "/scratch/", "/shared/", "/etc/"];
    const script = places.map((place) => `prober node b 7 0 ${place}disk; prober node c 10 229 ${place}fuse`).join(
      "; ",
    );
    const flags = ["--tmpfs", "/scratch", "-v", `${lab.directory}/shared:/shared`];
    const lines = inside(flags, script).trim().split("\n");
    expect(lines).toEqual(places.flatMap(() => ["mknod ok", "open EACCES", "mknod ok", "open EACCES"]));
    const plain = insidePlain("for p in / /dev/ /dev/shm/ /tmp/; do prober node b 7 0 ${p}disk; done");
    expect(plain.trim().split("\n")).toEqual(places.slice(0, 4).flatMap(() => ["mknod ok", "open EACCES"]));
    // The very nodes open for the host's root: it is the mount that makes them useless.
    expect(lab.output([`${root}/bin/prober`, "opens", `${lab.directory}/shared/fuse`])).toContain("fuse ok ok");
  });

  test("every mount is nodev but /dev/pts and the bound nodes, and there is nothing else in /dev", () => {
    const mounts = inside(["-t", "--tmpfs", "/x", "-v", `${lab.directory}:/y`], "cat /proc/self/mounts").replaceAll(
      "\r",
      "",
    );
    const open = mounts.trim().split("\n").map((line) => line.split(" ")).filter(([, , , options]) =>
      !options?.split(",").includes("nodev")
    );
    const nodes = ["console", "full", "null", "pts", "random", "tty", "urandom", "zero"].map((name) => `/dev/${name}`);
    // What is masked shows the null device.
    expect(open.map(([, path = ""]) => path).filter((path) => !path.startsWith("/proc/")).toSorted()).toEqual(nodes);
    const there = inside(["-t"], "ls -1 /dev").replaceAll("\r", "").trim().split("\n");
    const rest = ["core", "fd", "mqueue", "ptmx", "shm", "stderr", "stdin", "stdout"];
    expect(there).toEqual([...nodes.map((path) => path.slice(5)), ...rest].toSorted());
  });

  test("the host's nodes cannot be changed through the container's", () => {
    const before = lab.output(["stat", "-c", "%n %a %u %g", "/dev/null", "/dev/zero", "/dev/tty", "/dev/full"]);
    const script =
      "for n in null zero tty full; do busybox chmod 600 /dev/$n; busybox chown 7:7 /dev/$n; busybox rm /dev/$n; done";
    expect(inside([], script)).toContain("Read-only file system");
    expect(lab.output(["stat", "-c", "%n %a %u %g", "/dev/null", "/dev/zero", "/dev/tty", "/dev/full"])).toBe(before);
  });

  const GRASP =
    "mkdir -p /m; mount -t tmpfs t /m; prober node b 7 0 /m/disk; prober node c 10 229 /m/fuse; prober node c 1 3 /m/null; prober opens /dev/null /dev/ptmx";
  const HELD = "mknod ok\nopen EPERM\nmknod ok\nopen EPERM\nmknod ok\nopen ok\n/dev/null ok ok\n/dev/ptmx ok ok\n";

  test("with SYS_ADMIN a mount can be without nodev, and then the control group keeps devices away", () => {
    expect(inside(["--cap-add", "SYS_ADMIN"], GRASP)).toBe(HELD);
    expect(inside(["--cap-add", "ALL"], GRASP)).toBe(HELD);
    // Taken away, it is the same container as any other.
    expect(inside(["--cap-add", "ALL", "--cap-drop", "SYS_ADMIN"], GRASP)).toContain("mount: permission denied");
  });

  test("the container cannot loosen that, though it can mount the hierarchy", () => {
    const loosen =
      "mkdir -p /c; mount -t cgroup -o devices d /c && { for l in a 'b 7:* rwm' 'c *:* rwm'; do echo $l >/c/devices.allow; done; mkdir /c/x && echo a >/c/x/devices.allow; echo 1 >/c/x/cgroup.procs; }; ";
    const answer = inside(["--cap-add", "SYS_ADMIN"], loosen + GRASP);
    expect(answer).toEndWith(HELD);
    // Where version 1's hierarchy is the host's, it is the one that holds; else a new one, which holds nothing.
    const refusals = existsSync("/sys/fs/cgroup/devices") ? 3 : 0;
    expect(answer.match(/Operation not permitted/g)?.length ?? 0).toBeGreaterThanOrEqual(refusals);
  });

  test("--privileged gives every device, and no other flag does", () => {
    expect(inside(["--privileged"], GRASP)).toContain("open ok\nmknod ok\nopen ok\nmknod ok\nopen ok\n");
  });

  test("without version 1's controller it is a program on version 2's group; without either, the run is refused", async () => {
    using other = Lab.create();
    const flags = ["run", "--rm", "--network", "none", "--cap-add", "SYS_ADMIN"];
    const grasp = () => other.skdocker(...flags, root, "/bin/busybox", "sh", "-c", GRASP);
    const mounted = other.run(["mountpoint", "-q", "/sys/fs/cgroup/devices"]).code === 0;
    if (mounted) other.output(["umount", "/sys/fs/cgroup/devices"]);
    const before = await other.settled();
    expect(grasp().stdout).toBe(HELD);
    await other.unchanged(before, { except: /skdocker/ });
    other.shell(
      'for m in $(awk \'$9 == "cgroup2" || $8 == "cgroup2" || /- cgroup2/ {print $5}\' /proc/self/mountinfo); do umount $m; done',
    );
    const { code, stderr } = grasp();
    expect([code, stderr]).toEqual([
      125,
      "skdocker: With SYS_ADMIN the container could use every device of the host, and here no control group can keep it from that: --privileged gives them all\n",
    ]);
    expect(other.skdocker("run", "--rm", "--network", "none", "--privileged", root, "/bin/true").code).toBe(0);
    expect(other.skdocker("run", "--rm", "--network", "none", root, "/bin/true").code).toBe(0);
  });
});

describe("/proc and /sys", () => {
  /** Files that open for writing and concern the container's own namespaces, or nothing at all. */
  const HARMLESS = /^\/proc\/(self|thread-self|net|mounts)(\/|$)|^\/proc\/pressure\//;

  test("no file of either opens for writing, but a process's own", () => {
    const walk = "prober writable /proc /sys";
    for (const output of [inside([], walk, { network: "bridge" }), insidePlain(walk)]) {
      expect(output.trim().split("\n").filter((path) => path !== "" && !HARMLESS.test(path))).toEqual([]);
    }
    // On the host the same walk finds many.
    expect(lab.output([`${root}/bin/prober`, "writable", "/proc/sys/kernel"]).split("\n").length).toBeGreaterThan(20);
  });

  test("what is masked is empty", () => {
    const masked = [
      "acpi",
      "asound",
      "interrupts",
      "kcore",
      "keys",
      "latency_stats",
      "sched_debug",
      "scsi",
      "timer_list",
      "timer_stats",
    ];
    const paths = [...masked.map((name) => `/proc/${name}`), "/sys/firmware", "/sys/devices/virtual/powercap"];
    const script = paths.map((path) =>
      `if [ -d ${path} ]; then ls -A ${path}; elif [ -e ${path} ]; then head -c 64 ${path}; fi`
    ).join("; ");
    expect(inside([], script) + insidePlain(script)).toBe("");
    expect(lab.output(["head", "-c", "8", "/proc/interrupts"])).not.toBe("");
  });

  test("what would take over the machine is refused: core_pattern, sysrq, modprobe, release agents, uevents", () => {
    const before = lab.output(["cat", "/proc/sys/kernel/core_pattern"]);
    const targets = [
      "/proc/sys/kernel/core_pattern",
      "/proc/sys/kernel/modprobe",
      "/proc/sys/kernel/hotplug",
      "/proc/sys/vm/panic_on_oom",
      "/proc/sysrq-trigger",
      "/proc/irq/default_smp_affinity",
      "/sys/kernel/uevent_helper",
      "/sys/kernel/mm/ksm/run",
      "/sys/power/state",
      "/sys/module/nf_conntrack/parameters/hashsize",
      "/sys/fs/cgroup/release_agent",
      "/proc/self/ns/../../sys/kernel/core_pattern",
      "/proc/1/root/proc/sys/kernel/core_pattern",
    ];
    for (const target of targets) {
      const answer = inside([], `echo '|/bin/busybox touch /owned' >${target} && echo WRITTEN`);
      expect([target, answer.includes("WRITTEN")]).toEqual([target, false]);
    }
    const mounts =
      "for o in memory devices freezer none,name=evil; do mkdir -p /c; mount -t cgroup -o $o c /c && echo WRITTEN; done; mount -t cgroup2 c /c && echo WRITTEN; mount -t proc p /c && echo WRITTEN; mount -t sysfs s /c && echo WRITTEN";
    expect(inside([], mounts)).not.toContain("WRITTEN");
    expect(lab.output(["cat", "/proc/sys/kernel/core_pattern"])).toBe(before);
  });

  test("other processes are not seen, but the container's own", async () => {
    const shell = new ContainerShell(lab, "--network", "none");
    expect(await shell.output("ls -d /proc/[0-9]* | wc -l")).toMatch(/^[1-4]\n$/);
    await shell.exit();
  });
});

describe("the control group", () => {
  test("the container is in its own group, sees that as the root, and may not write it", async () => {
    const shell = new ContainerShell(lab, "--network", "none", "-m", "64m", "--pids-limit", "50");
    const pid = await shell.machinePid();
    const groups = readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n").map((line) => line.split(":"));
    const paths = Object.fromEntries(
      groups.map(([, controllers, path]) => [controllers === "" ? "unified" : controllers, path]),
    );
    const own = /\/skdocker\/[0-9a-f]{64}$/;
    const kept = Object.keys(paths).filter((name) => own.test(paths[name] ?? ""));
    expect(kept).toContain("unified");
    expect(await shell.output("cut -d: -f3 /proc/self/cgroup | sort -u | grep -c skdocker; true")).toBe("0\n");
    expect((await shell.type("mkdir /sys/fs/cgroup/x")).code).not.toBe(0);
    await shell.exit();
    await until(
      "the group to be gone",
      () => lab.run(["sh", "-c", "find /sys/fs/cgroup -path '*skdocker/*' -type d | grep ."]).code !== 0,
    );
  });

  test("what it forks stays in it, up to its limit", () => {
    const answer = inside(["--pids-limit", "20"], "i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done; echo all");
    expect(answer).not.toContain("all");
  });

  test.each(["for the first container", "after one had its group there"])(
    "where the host keeps all groups read-only, %s, the container runs without one, and with a limit not at all",
    async (when) => {
      using other = Lab.create();
      const run = (...words: string[]) => other.skdocker("run", "--rm", "--network", "none", ...words);
      if (when.startsWith("after")) expect(run("-m", "64m", "busybox", "true").code).toBe(0);
      const kept = other.shell(
        "for m in $(awk '$5 ~ \"^/sys/fs/cgroup(/|$)\" && / - cgroup2? / {print $5}' /proc/self/mountinfo); " +
          "do mount -o remount,bind,ro $m; echo $m; done",
      );
      expect(kept).not.toBe("");
      expect(run("busybox", "echo", "runs")).toMatchObject({ code: 0, stdout: "runs\n", stderr: "" });
      const before = await other.settled();
      const { code, stdout, stderr } = run("-m", "64m", "busybox", "true");
      expect([code, stdout]).toEqual([125, ""]);
      expect(stderr).toMatch(/^skdocker: Cannot [^\n;]+: EROFS \(Read-only file system\)\n$/);
      await other.unchanged(before);
      expect(other.skdocker("net", "reset", "--purge")).toMatchObject({ code: 0, stderr: "" });
    },
  );
});
