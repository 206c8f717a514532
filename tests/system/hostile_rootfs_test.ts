/**
 * A directory as root file system in which somebody else has put links, pipes, sockets and devices where skdocker is
 * about to read, make, mount and execute: nothing of the host is read, written or waited for.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostileLoader, makeRootfs } from "../lab/prober.ts";
import { Lab } from "../lab.ts";

let lab: Lab;
/** What of the host the links lead to. */
let victim: string;
let root: string;
beforeAll(() => {
  lab = Lab.create();
  victim = `${lab.directory}/victim`;
  for (const name of ["etc", "dev/pts", "dev/shm", "proc", "sys", "tmp", "bin", "work", "bound", "empty"]) {
    mkdirSync(`${victim}/${name}`, { recursive: true });
  }
  for (const name of ["etc/resolv.conf", "etc/hosts", "etc/hostname", "etc/passwd", "etc/group", "bin/sh", "file"]) {
    writeFileSync(`${victim}/${name}`, "SECRET:x:4242:4242:SECRET:/SECRET:/SECRET\n", { mode: 0o640 });
  }
  writeFileSync(`${victim}/empty-file`, "");
  mkdirSync(`${lab.directory}/source`);
  writeFileSync(`${lab.directory}/source/file`, "shared\n");
});
afterAll(() => lab[Symbol.dispose]());
beforeEach(() => {
  root = `${lab.directory}/root`;
  rmSync(root, { recursive: true, force: true });
  makeRootfs(root);
});

/** Everything about the victim's files that a write, a chmod, a mount or an unlink would change. */
function stateOfVictim(): string {
  const files = lab.output(["find", victim, "-printf", "%P %y %m %u %g %s %T@ %C@ %n\n"]);
  return files.split("\n").toSorted().join("\n") + lab.output(["sh", "-c", `find ${victim} -type f -exec cat {} +`]);
}

const FLAGS = [
  ...[
    "run",
    "--rm",
    "--network",
    "none",
    "-w",
    "/work/place",
    "-v",
    "SOURCE:/bound",
    "-v",
    "SOURCE/file:/etc/one",
    "--tmpfs",
    "/scratch",
  ],
  ...["--mount", "type=tmpfs,target=/mounted/deep"],
];
const flags = () => FLAGS.map((word) => word.replace("SOURCE", `${lab.directory}/source`));

/** Runs a container on the root, with all kinds of mounts, and fails if that takes long or tells a secret. */
function run(...command: string[]) {
  const ended = lab.run([lab.binary, ...flags(), root, ...command], { timeout: 10_000 });
  expect(ended.stdout + ended.stderr).not.toContain("SECRET");
  return ended;
}

const PLACES = [
  ...[
    "etc",
    "etc/resolv.conf",
    "etc/hosts",
    "etc/hostname",
    "etc/passwd",
    "etc/group",
    "etc/one",
    "proc",
    "sys",
    "dev",
  ],
  ...["dev/pts", "dev/shm", "dev/null", "tmp", "bin/sh", "bin", "work", "work/place", "bound", "scratch", "mounted"],
  "mounted/deep",
];

/** Puts something else in a place. */
function replace(place: string, make: (path: string) => void): void {
  const path = `${root}/${place}`;
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  make(path);
}

/** The root as it was, without making all of it anew. */
function restore(place: string): void {
  rmSync(`${root}/${place.startsWith("bin") ? "" : place}`, { recursive: true, force: true });
  makeRootfs(root);
}

describe("a link", () => {
  const leads: readonly (readonly [string, (place: string) => string])[] = [
    ["to the host's path of that name", (place) => `${victim}/${place}`],
    ["to a directory of the host", () => `${victim}/empty`],
    ["to a file of the host", () => `${victim}/empty-file`],
    ["to nothing yet in a directory of the host", (place) => `${victim}/empty/${place.replaceAll("/", "-")}`],
    ["upwards", (place) => `${"../".repeat(20)}${victim.slice(1)}/${place}`],
    ["through /proc/self/root", (place) => `/proc/self/root${victim}/${place}`],
    ["through /proc/1/root", (place) => `/proc/1/root${victim}/${place}`],
    ["through a descriptor", () => "/proc/self/fd/3"],
    ["through the working directory", () => "/proc/self/cwd"],
    ["to our own program", () => "/proc/self/exe"],
    ["to itself", (place) => `/${place}`],
  ];
  for (const [name, target] of leads) {
    test(`${name} leads into the container or nowhere, whatever it stands for`, () => {
      const before = stateOfVictim();
      const program = readFileSync(lab.binary).byteLength;
      for (const place of PLACES) {
        replace(place, (path) => symlinkSync(target(place), path));
        const { code } = run("/bin/busybox", "true");
        expect([place, [0, 125, 126, 127].includes(code)]).toEqual([place, true]);
        restore(place);
      }
      expect(stateOfVictim()).toBe(before);
      expect(readFileSync(lab.binary).byteLength).toBe(program);
    });
  }

  test("that the container follows shows the container's own files", () => {
    symlinkSync(`${victim}`, `${root}/link`);
    symlinkSync(`${"../".repeat(30)}${victim.slice(1)}/file`, `${root}/up`);
    expect(run("sh", "-c", "cat /link/file /up").code).not.toBe(0);
    // The same path inside is another file.
    mkdirSync(`${root}${victim}`, { recursive: true });
    writeFileSync(`${root}${victim}/file`, "the container's\n");
    expect(run("cat", "/link/file", "/up").stdout).toBe("the container's\nthe container's\n");
  });

  test("whose name a terminal would obey is told of in harmless letters", () => {
    writeFileSync(`${root}/f\x1b[31m`, "");
    symlinkSync("/f\x1b[31m/x", `${root}/etc/hosts`);
    const { code, stderr } = run("/bin/busybox", "true");
    expect([code, stderr]).toEqual([125, 'skdocker: Cannot open "f\\x1b[31m": ENOTDIR (Not a directory)\n']);
  });

  test("of a rootfs is followed for its mount points, inside it", () => {
    // As Debian's: /etc/resolv.conf points into /run, where there is nothing yet.
    replace("etc/resolv.conf", (path) => symlinkSync("../run/resolver/stub.conf", path));
    expect(run("cat", "/run/resolver/stub.conf").stdout).toBe("nameserver 220.181.38.152\n");
    expect(existsSync(`${root}/run`)).toBe(false);
  });
});

describe("a mount that the root leads into /proc, /sys or /dev by a link", () => {
  const volume = () => `${lab.directory}/volume`;
  /** Runs with the volume mounted at /data, which is a link. */
  function runOnto(target: string, ...command: string[]) {
    symlinkSync(target, `${root}/data`);
    return lab.run([lab.binary, "run", "--rm", "--network", "none", "-v", `${volume()}:/data`, root, ...command]);
  }
  beforeEach(() => {
    rmSync(volume(), { recursive: true, force: true });
    mkdirSync(`${volume()}/ipv4`, { recursive: true });
  });

  test("does not get the container's sysctls written to it, nor by a link in it to the host", () => {
    // A setting of the whole machine, which nothing else touches.
    const setting = "/proc/sys/fs/lease-break-time";
    const before = readFileSync(setting, "utf8");
    writeFileSync(`${volume()}/ipv4/ping_group_range`, "kept");
    symlinkSync(setting, `${volume()}/ipv4/ip_unprivileged_port_start`);
    try {
      runOnto("/proc/sys/net", "/bin/true");
      expect(readFileSync(setting, "utf8")).toBe(before);
      expect(readFileSync(`${volume()}/ipv4/ping_group_range`, "utf8")).toBe("kept");
    } finally {
      writeFileSync(setting, before);
    }
  });

  test("leaves what is masked and read-only as it is, wherever it can still be reached", () => {
    for (const target of ["/proc", "/proc/sys", "/sys", "/sys/firmware", "/dev", "/dev/pts", "/proc/self"]) {
      rmSync(`${root}/data`, { force: true });
      const script =
        "prober writable /proc /sys; for f in /proc/kcore /proc/keys /proc/timer_list; do [ -e $f ] && head -c 9 $f; done; head -c 1 /proc/sys/kernel/core_pattern >/dev/null && echo x >/proc/sys/kernel/core_pattern && echo WRITTEN";
      const { stdout } = runOnto(target, "/bin/busybox", "sh", "-c", script);
      const harmless = /^\/proc\/(self|thread-self|net|mounts)(\/|$)|^\/proc\/pressure\/|^\/proc\/sys\/ipv4/;
      expect([target, stdout.split("\n").filter((line) => line !== "" && !harmless.test(line))]).toEqual([target, []]);
    }
  });
});

describe("instead of a file or directory", () => {
  const kinds = {
    "a pipe": (path: string) => lab.output(["mkfifo", path]),
    "a socket": (path: string) => Bun.listen({ unix: path, socket: { data() {} } }).unref(),
    "the node of a disk": (path: string) => lab.output(["mknod", path, "b", "7", "0"]),
    "the node of a terminal": (path: string) => lab.output(["mknod", path, "c", "5", "0"]),
    "a file": (path: string) => writeFileSync(path, "not what was expected\n"),
    "a directory": (path: string) => mkdirSync(path),
  };
  for (const [kind, make] of Object.entries(kinds)) {
    test(`${kind} keeps nobody waiting, and is not changed`, () => {
      for (const place of PLACES.filter((each) => each !== "bin" && each !== "dev/null")) {
        const long = `${root}/${place}`.length > 100 && kind === "a socket";
        if (!long) replace(place, make);
        const before = lab.output(["stat", "-c", "%F %a %u %g %s", `${root}/${place}`]);
        const { code, stderr } = run("/bin/busybox", "true");
        expect([place, [0, 125, 126].includes(code), stderr.trim().split("\n").length]).toEqual([place, true, 1]);
        expect(lab.output(["stat", "-c", "%F %a %u %g %s", `${root}/${place}`])).toBe(before);
        restore(place);
      }
    });
  }

  test("a device in the place of passwd or group is not opened, by which some begin to act", async () => {
    for (const place of ["etc/passwd", "etc/group"]) {
      replace(place, (path) => lab.output(["mknod", path, "c", "1", "5"]));
      const watch = lab.spawn([`${root}/bin/prober`, "watch", `${root}/${place}`]);
      await watch.waitFor(/watching/);
      expect(run("/bin/busybox", "true").code).toBe(0);
      expect(watch.stdout).toBe("watching\n");
      lab.output(["head", "-c", "1", `${root}/${place}`]);
      await watch.waitFor(/opened/); // the watch would have seen it
      await watch.kill("SIGKILL");
    }
  });

  test("the nodes of the root file system's own /dev are not what the container has", () => {
    for (
      const [name, minor] of [["null", "5"], ["zero", "3"], ["console", "5"], ["tty", "9"], ["ptmx", "9"]] as const
    ) {
      replace(`dev/${name}`, (path) => lab.output(["mknod", path, "c", "1", minor]));
    }
    const before = lab.output(["ls", "-ln", `${root}/dev`]);
    const { stdout } = run(
      "sh",
      "-c",
      "stat -c '%n %t:%T' /dev/null /dev/zero; ls -l /dev/ptmx; head -c 3 /dev/zero | od -An -tx1 2>/dev/null; ls /dev",
    );
    expect(stdout).toStartWith("/dev/null 1:3\n/dev/zero 1:5\n");
    expect(stdout).toContain("/dev/ptmx -> pts/ptmx");
    expect(stdout).not.toContain("console");
    expect(lab.output(["ls", "-ln", `${root}/dev`])).toBe(before);
  });
});

describe("what is executed", () => {
  /** An ELF file whose interpreter is our own program, by way of /proc. */
  function programInterpretedBy(interpreter: string, path: string): void {
    const source = `${lab.directory}/empty.c`;
    writeFileSync(source, "int main(void) { return 0; }\n");
    const done = Bun.spawnSync(["gcc", "-o", path, source, `-Wl,--dynamic-linker=${interpreter}`]);
    if (done.exitCode !== 0) throw new Error(done.stderr.toString());
  }

  /** Wherever the engine's program would look for its own loader, there is one that tells. */
  function plantLoader(): void {
    for (const place of ["lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1"]) {
      mkdirSync(`${root}/${place.slice(0, place.indexOf("/"))}`, { recursive: true });
      copyFileSync(hostileLoader(), `${root}/${place}`);
      chmodSync(`${root}/${place}`, 0o755);
    }
  }

  const LINKS = ["/proc/self/exe", "/proc/1/exe", "/proc/thread-self/exe", "/proc/self/task/1/exe"];

  test("the loader of these tests tells when it is executed for somebody's program", () => {
    plantLoader();
    copyFileSync("/bin/ls", `${root}/bin/dynamic`);
    expect(run("/bin/dynamic")).toMatchObject({ code: 77, stdout: "/bin/dynamic-\n" });
  });

  test("is never our own program: not as interpreter of a script", () => {
    plantLoader();
    for (const link of LINKS) {
      writeFileSync(`${root}/bin/evil`, `#!${link}\n`, { mode: 0o755 });
      const { code, stdout } = run("/bin/evil");
      expect([code === 0 || code === 77, stdout]).toEqual([false, ""]);
    }
    symlinkSync("/proc/self/exe", `${root}/bin/indirect`);
    writeFileSync(`${root}/bin/evil`, "#!/bin/indirect\n", { mode: 0o755 });
    expect(run("/bin/evil").stdout).toBe("");
    writeFileSync(`${root}/bin/nested`, "#!/bin/evil\n", { mode: 0o755 });
    expect(run("/bin/nested").stdout).toBe("");
    expect(run("nested", "-c", "true").stdout).toBe("");
  });

  test("nor as that of an ELF file", () => {
    plantLoader();
    for (const link of LINKS) {
      programInterpretedBy(link, `${root}/bin/evil`);
      const { code, stdout } = run("/bin/evil");
      expect([code === 0 || code === 77, stdout]).toEqual([false, ""]);
    }
  });

  test("nor by a file of the host that was bound over busybox", () => {
    writeFileSync(`${lab.directory}/evil`, "#!/proc/self/exe\n", { mode: 0o755 });
    mkdirSync(`${lab.directory}/lib64`, { recursive: true });
    copyFileSync(hostileLoader(), `${lab.directory}/lib64/ld-linux-x86-64.so.2`);
    chmodSync(`${lab.directory}/lib64/ld-linux-x86-64.so.2`, 0o755);
    const { code, stdout } = lab.skdocker(
      ...[
        "run",
        "--rm",
        "-v",
        `${lab.directory}/evil:/bin/evil`,
        "-v",
        `${lab.directory}/lib64:/lib64`,
        "busybox",
        "evil",
      ],
    );
    expect([code === 0 || code === 77, stdout]).toEqual([false, ""]);
  });

  test("may be a pipe, a socket, a device, a directory, or have one for its interpreter: refused at once", () => {
    const odd = `${root}/odd`;
    const kinds = ["mkfifo", "mkdir", "mknod -m 755 c 1 3", "mknod -m 755 b 7 0"];
    for (const kind of kinds) {
      const [command = "", mode, ...rest] = kind.split(" ");
      rmSync(odd, { recursive: true, force: true });
      lab.output([command, ...(mode ? [mode, rest[0] as string] : ["-m", "755"]), odd, ...rest.slice(1)]);
      expect([kind, run("/odd").code]).toEqual([kind, 126]);
      writeFileSync(`${root}/bin/script`, "#!/odd\n", { mode: 0o755 });
      expect([kind, run("/bin/script").code]).toEqual([kind, 126]);
    }
  });

  test("so where the host forbids executable files in memory, it is said, and nothing is executed", () => {
    // A kernel before 6.3 has no such setting, and forbids nothing.
    if (!existsSync("/proc/sys/vm/memfd_noexec")) return expect(run("/bin/true").code).toBe(0);
    using other = Lab.create(); // the setting belongs to its PID namespace
    other.shell("sysctl -qw vm.memfd_noexec=2");
    const { code, stderr } = other.skdocker("run", "--rm", "--network", "none", root, "/bin/true");
    expect([code, stderr]).toEqual([
      125,
      'skdocker: Cannot make "an executable file in memory": EACCES (Permission denied): containers of files that are ' +
      "not skdocker's own need one, set the sysctl vm.memfd_noexec to 0 or 1\n",
    ]);
    expect(other.skdocker("run", "--rm", "--network", "none", "busybox", "true").code).toBe(0);
  });

  test("nor while somebody swaps it during the start", async () => {
    plantLoader();
    rmSync(`${root}/bin/sh`);
    writeFileSync(`${root}/bin/sh`, "#!/bin/busybox sh\necho started\n", { mode: 0o755 });
    symlinkSync("/proc/self/exe", `${root}/bin/other`);
    const swap = lab.spawn([`${root}/bin/prober`, "swap", `${root}/bin`, "sh", "other", "55"]);
    await swap.waitFor(/swapping/);
    const outputs = new Set<string>();
    for (let round = 0; round < 60; round++) outputs.add(run("/bin/sh").stdout);
    await swap.kill("SIGKILL");
    // Either the script, or a refusal; the loader's words would be another output.
    expect([...outputs].filter((output) => output !== "" && output !== "started\n")).toEqual([]);
    expect(outputs.has("started\n")).toBe(true);
  }, 60_000);
});

describe("somebody swaps, during the start,", () => {
  for (const place of ["etc", "etc/passwd", "dev", "proc", "bound", "work", "scratch", "tmp"]) {
    test(`${place} for a link to the host's: nothing of that is touched`, async () => {
      const before = stateOfVictim();
      const path = `${root}/${place}`;
      if (!existsSync(path)) mkdirSync(path, { recursive: true });
      if (place === "etc/passwd") {
        rmSync(path, { recursive: true });
        writeFileSync(path, "root:x:0:0:root:/root:/bin/sh\n");
      }
      symlinkSync(`${victim}/${place}`, `${path}.other`);
      const parent = path.slice(0, path.lastIndexOf("/"));
      const name = path.slice(parent.length + 1);
      const swap = lab.spawn([`${root}/bin/prober`, "swap", parent, name, `${name}.other`, "55"]);
      await swap.waitFor(/swapping/);
      const codes = new Set<number>();
      for (let round = 0; round < 15; round++) codes.add(run("/bin/busybox", "true").code);
      await swap.kill("SIGKILL");
      expect([...codes].filter((code) => code !== 0 && code !== 125)).toEqual([]);
      expect(stateOfVictim()).toBe(before);
    }, 60_000);
  }
});

describe("when the container has ended", () => {
  test("what it has put in the place of mount points is not followed", () => {
    const before = stateOfVictim();
    rmSync(`${root}/etc`, { recursive: true });
    const script =
      `mv /etc /moved; ln -s ${victim}/etc /etc; mv /work /gone; ln -s ${victim}/work /work; mv /mounted /m; ln -s ${victim}/empty /mounted`;
    run("/bin/busybox", "sh", "-c", script);
    expect(stateOfVictim()).toBe(before);
  });

  test("nor another directory that has taken the place of the root itself", () => {
    mkdirSync(`${victim}/etc2`, { recursive: true });
    const place = `${lab.directory}/place`;
    mkdirSync(place);
    const inner = makeRootfs(`${place}/root`);
    rmSync(`${inner}/tmp`, { recursive: true });
    // What was made: /tmp. What is there then: the victim, with an empty /tmp of its own.
    expect(readdirSync(`${victim}/tmp`)).toEqual([]);
    const before = stateOfVictim();
    const { code } = lab.skdocker(
      ...["run", "--rm", "-v", `${place}:/place`, "--tmpfs", "/tmp", inner, "/bin/busybox", "sh", "-c"],
      `mv /place/root /place/moved && ln -s ${victim} /place/root`,
    );
    expect(code).toBe(0);
    expect(stateOfVictim()).toBe(before);
    expect(existsSync(`${victim}/tmp`)).toBe(true);
  });
});
