/** The child's program on a real kernel: what a container sees, has and can do, asked from inside by busybox. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { execTail, spawnChild } from "../../ffi/clone.ts";
import { MACHINE, syscall } from "../../ffi/libc.ts";
import { childError } from "../../src/container/exec_failure.ts";
import { CHILD_NAMESPACES, childProgram, planContainer } from "../../src/container/plan.ts";
import { openRootfs, prepareFiles, userDatabase } from "../../src/container/prepare_files.ts";
import { type MountRequest, PLAIN_REQUEST, type RunRequest } from "../../src/container/request.ts";
import { specFromRequest } from "../../src/container/spec.ts";
import { resolveUser } from "../../src/container/user.ts";
import { capabilitySet } from "../../src/kernel/capabilities.ts";
import { EAGAIN, readAll, readInto, writeFrom } from "../../src/kernel/files.ts";
import { createNetworkNamespace } from "../../src/kernel/namespaces.ts";
import { pipe } from "../../src/kernel/pipes.ts";
import { boundingSet } from "../../src/kernel/privileges.ts";
import { exitCode, waitForExit } from "../../src/kernel/process.ts";
import { newDevpts, openPty } from "../../src/kernel/pty.ts";
import { seccompFilter } from "../../src/kernel/seccomp.ts";
import { pathsOf } from "../../src/store/paths.ts";
import { UserError } from "../../src/user_error.ts";

const decoder = new TextDecoder();
let base = "";
let counter = 0;

beforeAll(() => {
  base = mkdtempSync("/tmp/skdocker-plan-");
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

const DEFAULTS: RunRequest = {
  ...PLAIN_REQUEST,
  command: ["true"],
  network: { ...PLAIN_REQUEST.network, mode: { kind: "none", loopback: "up" } },
};

interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** Runs a container as the tool does, without a network but with a namespace of its own. */
async function run(asked: Partial<RunRequest>): Promise<Outcome> {
  const request = { ...DEFAULTS, ...asked };
  const id = String(++counter).padStart(64, "0");
  const paths = pathsOf({ root: `${base}/data`, runRoot: `${base}/run` });
  const bounding = boundingSet();
  using rootfs = await openRootfs(request.rootfs, paths);
  const user = resolveUser(request.user, { database: userDatabase(rootfs), groupAdd: request.groupAdd });
  writeFileSync(`${base}/hosts`, "127.0.0.1 localhost made-for-it\n");
  const spec = specFromRequest(request, {
    rootPath: rootfs.path,
    hostname: request.hostname ?? "testhost",
    user,
    boundingSet: bounding,
    openFilesLimit: 2048,
    network: "new",
    files: new Map([["/etc/hosts", `${base}/hosts`]]),
    cgroup: "none",
  });
  using devpts = request.tty ? newDevpts() : undefined;
  using pty = devpts && openPty(devpts);
  using files = prepareFiles(spec, { rootfs, paths, id, devpts: devpts ?? null });
  try {
    using network = createNetworkNamespace({ sysctls: [], sockets: [] });
    const go = pipe();
    const output = pipe();
    const input = pipe();
    const capabilities = capabilitySet(spec.process.capabilities.bounding.map((name) => name.slice(4) as "KILL"));
    const slave = pty?.slave.fd;
    const plan = planContainer(spec, {
      ...files.inputs,
      boundingSet: bounding,
      filter: spec.linux.seccomp === null ? null : seccompFilter({ machine: MACHINE, capabilities }),
      parentOnly: [go.write.fd],
      network: { fd: network.descriptor.fd, name: "test" },
      cgroups: [],
      stdio: {
        descriptors: slave === undefined ? [input.read.fd, output.write.fd, output.write.fd] : [slave, slave, slave],
        owned: [0, 1, 2],
      },
      go: go.read.fd,
      beforeExec: execTail(),
    });
    using child = spawnChild({
      program: (status) => childProgram(plan, { status }),
      flags: CHILD_NAMESPACES,
      shareMemory: true,
    });
    for (const descriptor of [output.write, input.read, input.write, go.read]) descriptor.close();
    pty?.slave.close();
    writeFrom(go.write.fd, new Uint8Array([1])); // EPIPE: the child has failed already
    const failure = child.awaitExec();
    go.write.close(); // not before: a parent whose end is closed is a dead one
    const text = slave === undefined ? decoder.decode(readAll(output.read.fd)) : readTerminal(pty?.master.fd);
    output.read.close();
    const exit = waitForExit({ pidfd: child.pidfd });
    syscall("close", child.pidfd);
    if (failure) throw childError(failure, { outcome: child.outcome, process: spec.process });
    return { code: exitCode(exit), output: text };
  } finally {
    files.remove();
  }
}

/** A pty's master says EIO when the last slave is closed; this one never waits by itself. */
function readTerminal(fd = -1): string {
  const bytes = new Uint8Array(65536);
  let text = "";
  for (let waits = 0; waits < 500;) {
    const count = readInto(fd, bytes);
    if (count === -EAGAIN) {
      waits++;
      Bun.sleepSync(10);
    } else if (count <= 0) return text;
    else text += decoder.decode(bytes.subarray(0, count));
  }
  return text;
}

/** What a script prints inside. */
async function ask(script: string, asked: Partial<RunRequest> = {}): Promise<string> {
  const { output } = await run({ ...asked, command: ["sh", "-c", `${script} 2>&1`] });
  return output.trim();
}

/** What went wrong in a start, as the user would read it. */
async function refusal(asked: Partial<RunRequest>): Promise<UserError> {
  try {
    await run(asked);
  } catch (error) {
    if (error instanceof Error) return error as UserError;
  }
  throw new Error("the container started");
}

/** A root file system in a directory: busybox and what a test puts there. */
function directory(entries: readonly string[] = ["proc", "dev", "sys", "etc", "tmp"]): string {
  const path = mkdtempSync(`${base}/rootfs-`);
  for (const entry of ["bin", ...entries]) mkdirSync(`${path}/${entry}`, { recursive: true });
  writeFileSync(`${path}/bin/busybox`, readFileSync("/bin/busybox"));
  chmodSync(`${path}/bin/busybox`, 0o755);
  for (const applet of ["sh", "cat", "ls", "echo", "id", "mount", "touch", "true", "pwd"]) {
    symlinkSync("/bin/busybox", `${path}/bin/${applet}`);
  }
  return path;
}

const inDirectory = (path: string) => ({ rootfs: { kind: "directory", path } as const });

test("the exit code is the command's", async () => {
  expect((await run({ command: ["sh", "-c", "exit 7"] })).code).toBe(7);
  expect((await run({ command: ["sh", "-c", "kill -9 $$; exit 3"] })).code).toBe(3); // the first process is immune
});

test("the first process is alone in its namespace, with the name of the host it was given", async () => {
  expect(await ask("echo $$; hostname; cat /proc/[0-9]*/comm | sort -u")).toMatch(/^1\ntesthost\n((cat|sh|sort)\n?)+$/);
});

test("mounts are those of the plan, and nothing of the host is among them", async () => {
  const lines = (await ask("cat /proc/self/mounts")).split("\n").map((line) => line.split(" ").slice(1, 4));
  const byPath = new Map(lines.map(([path, type, options]) => [path, `${type} ${options}`]));
  expect(byPath.get("/")).toStartWith("overlay rw,nodev");
  expect(byPath.get("/proc")).toStartWith("proc rw,nosuid,nodev,noexec");
  expect(byPath.get("/dev")).toStartWith("tmpfs rw,nosuid,nodev");
  expect(byPath.get("/dev/pts")).toStartWith("devpts rw,nosuid,noexec");
  expect(byPath.get("/dev/shm")).toStartWith("tmpfs rw,nosuid,nodev,noexec");
  expect(byPath.get("/dev/mqueue")).toStartWith("mqueue rw,nosuid,nodev,noexec");
  expect(byPath.get("/sys")).toStartWith("sysfs ro,nosuid,nodev,noexec");
  expect(byPath.get("/proc/sys")).toStartWith("proc ro");
  const devices = ["null", "zero", "full", "random", "urandom", "tty"].map((name) => `/dev/${name}`);
  const rest = [...byPath.keys()].filter((path) => !path?.startsWith("/proc/") && !path?.startsWith("/sys/"));
  expect(rest.toSorted()).toEqual(
    ["/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/etc/hosts", ...devices].toSorted() as never,
  );
});

test("no descriptor but the standard streams survives", async () => {
  // The fourth is the directory that ls, here the first process itself, has open.
  expect((await run({ command: ["ls", "/proc/self/fd"] })).output).toBe("0\n1\n2\n3\n");
});

test("devices work, and the host's nodes cannot be changed through them", async () => {
  const before = statSync("/dev/null").mode;
  const script =
    "echo x > /dev/null && head -c 3 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c; chmod 600 /dev/null; " +
    "chown 7 /dev/null; touch -d '2001-01-01' /dev/null; echo full > /dev/full; ls -l /dev/ptmx /dev/fd";
  const output = await ask(`{ ${script}; }`);
  expect(output).toContain("3\n4\n");
  expect(output.match(/Read-only file system/g)?.length).toBeGreaterThanOrEqual(2);
  expect(output).toContain("No space left on device");
  expect(output).toContain("/dev/ptmx -> pts/ptmx");
  expect(statSync("/dev/null").mode).toBe(before);
});

test("a node that the container makes does not open", async () => {
  for (const place of ["/", "/dev/", "/dev/shm/", "/tmp/"]) {
    expect(await ask(`mknod ${place}disk b 254 0 && cat ${place}disk`)).toContain("Permission denied");
  }
});

test("root has docker's fourteen capabilities and no other can come back", async () => {
  const caps = await ask("grep Cap /proc/self/status");
  expect(caps).toContain("CapPrm:\t00000000a80425fb");
  expect(caps).toContain("CapEff:\t00000000a80425fb");
  expect(caps).toContain("CapBnd:\t00000000a80425fb");
  expect(caps).toContain("CapInh:\t0000000000000000");
  expect(await ask("grep CapEff /proc/self/status", { capDrop: ["ALL"], capAdd: ["NET_ADMIN"] })).toEndWith("1000");
});

test("another user has none, and is who was asked for", async () => {
  expect(await ask("id; grep -E 'CapEff|CapBnd' /proc/self/status", { user: { user: "www-data", group: null } }))
    .toBe(
      "uid=33(www-data) gid=33(www-data) groups=33(www-data)\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb",
    );
  expect(await ask("id; echo $HOME", { user: { user: "1000", group: "tty" }, groupAdd: ["bin", "99"] }))
    .toBe("uid=1000 gid=5(tty) groups=2(bin),5(tty),99\n/");
  expect(await ask("echo again > /dev/stdout", { user: { user: "1000", group: null } })).toBe("again");
  expect((await refusal({ user: { user: "nobodyknows", group: null } })).message)
    .toBe("unable to find user nobodyknows: no matching entries in passwd file");
});

test("a seccomp filter is loaded, with and without no_new_privs", async () => {
  expect(await ask("grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status")).toBe("NoNewPrivs:\t0\nSeccomp:\t2");
  expect(await ask("grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status", { noNewPrivileges: true }))
    .toBe("NoNewPrivs:\t1\nSeccomp:\t2");
  expect(await ask("unshare -U true || echo refused")).toContain("refused");
  expect(await ask("unshare -U -r true && echo done", { privileged: true })).toContain("done");
});

test("what tells of the machine is masked, what changes it is read-only", async () => {
  expect(await ask("cat /proc/keys /proc/timer_list | wc -c; ls /sys/firmware | wc -l")).toBe("0\n0");
  const refused =
    "echo 1 > /proc/sys/vm/drop_caches; echo 1 > /sys/kernel/mm/ksm/run; echo b > /proc/sysrq-trigger; mount -o remount,rw /proc/sys";
  const output = await ask(`{ ${refused}; }`);
  expect(output).toContain("can't create /proc/sys/vm/drop_caches: Read-only file system");
  expect(output).not.toContain("\n\n");
});

test("sysctls of the network are the container's own", async () => {
  const asked = { sysctls: new Map([["net.ipv4.ip_default_ttl", "44"]]) };
  expect(await ask("cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/net/ipv4/ip_unprivileged_port_start", asked))
    .toBe("44\n0");
  expect(readFileSync("/proc/sys/net/ipv4/ip_default_ttl", "utf8").trim()).not.toBe("44");
  expect((await refusal({ sysctls: new Map([["net.ipv4.no_such", "1"]]) })).message)
    .toBe('Cannot set "net.ipv4.no_such=1": ENOENT (No such file or directory)');
});

test("limits are set, and the soft limit of open files is what programs expect", async () => {
  expect(await ask("ulimit -n; ulimit -Hn")).toBe("1024\n2048");
  expect(
    await ask("ulimit -n; ulimit -c", {
      ulimits: [{ name: "nofile", soft: 77, hard: 88 }, { name: "core", soft: 0, hard: 0 }],
    }),
  ).toBe("77\n0");
});

test("a read-only root cannot be written, what is mounted in it can", async () => {
  const mounts: MountRequest[] = [{
    kind: "tmpfs",
    target: "/scratch",
    readOnly: false,
    executable: false,
    setUid: false,
    inodes: null,
    size: 4096,
    mode: null,
    uid: 12,
    gid: null,
  }];
  const output = await ask("touch /x; touch /scratch/y /dev/shm/z && ls -ld /scratch | cut -c1-10 && ls /scratch", {
    readOnly: true,
    mounts,
  });
  expect(output).toBe("touch: /x: Read-only file system\ndrwxrwxrwt\ny");
});

test("a bind shows the host's directory or file, nodev, and read-only where asked", async () => {
  const source = mkdtempSync(`${base}/source-`);
  writeFileSync(`${source}/file`, "content\n");
  const bind = (target: string, readOnly: boolean, of = source): MountRequest => {
    return { kind: "bind", source: of, target, readOnly, recursive: true };
  };
  const mounts = [
    bind("/a/deep/place", false),
    bind("/b", true),
    bind("/etc/one", false, `${source}/file`),
    bind("/dev/extra/c", true),
  ];
  const output = await ask(
    "cat /a/deep/place/file /etc/one /dev/extra/c/file; touch /a/deep/place/new /b/new; grep ' /b ' /proc/self/mounts | cut -d' ' -f4",
    { mounts },
  );
  expect(output).toStartWith("content\ncontent\ncontent\ntouch: /b/new: Read-only file system\nro,nodev");
  expect(existsSync(`${source}/new`)).toBe(true);
  expect((await refusal({ mounts: [bind("/x", false, `${source}/missing`)] })).message).toContain("does not exist");
  expect((await refusal({ mounts: [bind("/proc/sys", false)] })).message).toContain("Nothing can be mounted");
});

test("the working directory is made where it is missing, and entered as the user", async () => {
  expect(await ask("pwd; ls -ld . | cut -c1-10", { workdir: "/made/for/it" })).toBe("/made/for/it\ndrwxr-xr-x");
  const denied = await refusal({ workdir: "/root", user: { user: "1000", group: null } });
  expect([denied.message, denied.exitCode]).toEqual([
    'Cannot change the working directory to "/root": EACCES (Permission denied)',
    126,
  ]);
});

test("a command that is missing gives 127, one that cannot be executed 126", async () => {
  const missing = await refusal({ command: ["nosuchthing"] });
  expect([missing.message, missing.exitCode]).toEqual(['Cannot execute "nosuchthing": it is not found in PATH', 127]);
  expect((await refusal({ command: ["/bin/none"] })).exitCode).toBe(127);
  for (const command of ["/etc/passwd", "/bin"]) expect((await refusal({ command: [command] })).exitCode).toBe(126);
  expect((await refusal({ command: ["passwd"], environment: new Map([["PATH", "/none:/etc:/bin/sh"]]) })).exitCode)
    .toBe(126);
});

test("the environment is docker's", async () => {
  expect(await ask("env | grep -v ^SHLVL | grep -v ^PWD | sort", { environment: new Map([["A", "b c"]]) })).toBe(
    "A=b c\nHOME=/root\nHOSTNAME=testhost\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  );
});

test("a terminal is the container's own and controls its session", async () => {
  const { output } = await run({
    tty: true,
    command: ["sh", "-c", "tty; echo hi > /dev/tty; echo $TERM; ls /dev/pts; echo c > /dev/console"],
  });
  expect(output.replaceAll("\r", "")).toBe("/dev/pts/0\nhi\nxterm\n0     ptmx\nc\n");
});

test("a directory is used in place, and what had to be made in it is removed", async () => {
  const path = directory([]);
  expect(await ask("echo kept > /kept; cat /etc/hosts; ls / | tr '\\n' ' '", inDirectory(path)))
    .toBe("127.0.0.1 localhost made-for-it\nbin dev etc kept proc sys".replace("bin", "bin"));
  expect(readdirSync(path).toSorted()).toEqual(["bin", "kept"]);
});

test("a directory that cannot be a root is refused in a sentence", async () => {
  const message = async (path: string) => (await refusal(inDirectory(path))).message;
  expect(await message(`${base}/nowhere`)).toContain("does not exist");
  expect(await message(`${base}/hosts`)).toContain("is not a directory");
  expect(await message("/")).toContain("is the host's own");
  const path = directory(["etc"]);
  for (const name of ["proc", "dev", "sys"]) {
    symlinkSync("/tmp", `${path}/${name}`);
    expect(await message(path)).toContain(`/${name} in the root file system "${path}" is not a directory but a link`);
    rmSync(`${path}/${name}`);
  }
});

test("links of a hostile root lead nowhere but into it", async () => {
  const outside = mkdtempSync(`${base}/outside-`);
  const path = directory(["proc", "dev", "sys"]);
  symlinkSync(outside, `${path}/etc`);
  expect(await ask("ls -R /etc/ | wc -l; cat /etc/hosts", inDirectory(path))).toContain("made-for-it");
  expect(readdirSync(outside)).toEqual([]);
  rmSync(`${path}/etc`);
  mkdirSync(`${path}/etc`);
  writeFileSync(`${outside}/hosts`, "the host's\n");
  symlinkSync(`${outside}/hosts`, `${path}/etc/hosts`);
  symlinkSync("/etc/shadow", `${path}/etc/passwd`);
  expect(await ask("cat /etc/hosts", inDirectory(path))).toContain("made-for-it");
  expect(readFileSync(`${outside}/hosts`, "utf8")).toBe("the host's\n");
  expect(existsSync(`${path}${outside}`)).toBe(false);
});

test("a link through /proc reaches neither the host's files nor our own program", async () => {
  const path = directory();
  for (let fd = 3; fd < 40; fd++) symlinkSync(`/proc/self/fd/${fd}`, `${path}/tmp/fd${fd}`);
  symlinkSync("/proc/self/root", `${path}/tmp/root`);
  for (let fd = 3; fd < 40; fd++) {
    const error = await refusal({ ...inDirectory(path), command: [`/tmp/fd${fd}/bin/sh`] });
    expect(error.message).toStartWith("Cannot execute");
    const entered = await refusal({ ...inDirectory(path), workdir: `/tmp/fd${fd}` });
    expect(entered.message).toContain(`/tmp/fd${fd}`);
  }
  for (const link of ["/proc/self/exe", "/proc/1/exe", "/proc/thread-self/exe"]) {
    symlinkSync(link, `${path}/bin/program`);
    for (const command of ["program", "/bin/program", link]) {
      const error = await refusal({ ...inDirectory(path), command: [command] });
      expect([error.message, error.exitCode]).toEqual([
        `Cannot execute "${command}": ELOOP (Too many levels of symbolic links)`,
        126,
      ]);
    }
    rmSync(`${path}/bin/program`);
  }
  // In there, the root is the container's.
  expect(await ask("pwd -P; ls -d bin", { ...inDirectory(path), workdir: "/tmp/root" })).toBe("/\nbin");
});

test("what a container leaves in its layer is removed, however odd", async () => {
  const odd =
    "mkdir -p /d && cd /d && i=0; while [ $i -lt 300 ]; do mkdir long-name-of-a-directory-$i; cd long-name-of-a-directory-$i; i=$((i+1)); done; " +
    "ln -s / link; mkfifo pipe; mknod node c 1 3; echo x > 'new\nline'; chmod 0 .; rm -rf /etc; mv /home /moved";
  expect((await run({ command: ["sh", "-c", odd] })).code).toBe(0);
  expect(readdirSync(`${base}/data/containers`)).toEqual([]);
});
