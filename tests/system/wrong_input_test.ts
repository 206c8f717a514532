/** Wrong input to `run` on real namespaces: one clear sentence, docker's exit code, and nothing has changed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { difference, type Ended, Lab, type Snapshot } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";

let lab: Lab;
beforeAll(() => {
  lab = Lab.create();
  lab.shell(`cd ${lab.directory}
    mkdir -p root/bin root/folder empty; cp /bin/busybox root/bin; ln -s busybox root/bin/sh; echo text >root/text
    printf '#!/missing\\n' >root/bin/script; printf 'ELF?' >root/bin/broken; chmod 755 root/bin/script root/bin/broken
    ln -s circle root/bin/circle; echo text >file; mkfifo fifo; ln -s nowhere dangling; mount -t tmpfs -o ro ro /mnt`);
});
afterAll(() => lab[Symbol.dispose]());

/** Words in which LAB stands for the lab's directory; those that begin with a flag of skdocker's own are taken as they are. */
function words(line: string): string[] {
  const split = line.split(" ").map((word) =>
    word.replaceAll("LAB", lab.directory).replaceAll("LONG", "a".repeat(300))
  );
  return /^(--root|--run-root|net)(=|$)/.test(split[0] ?? "") ? split : ["run", ...split];
}

function run(line: string): Ended {
  return lab.skdocker(...words(line));
}

type Row = readonly [line: string, code: number, sentence: string];

/** What can be known before anything is done. */
const FORESEEN: readonly Row[] = [
  ["LAB/nowhere sh", 125, 'The root file system "LAB/nowhere" does not exist'],
  ["LAB/dangling sh", 125, 'The root file system "LAB/dangling" does not exist'],
  ["LAB/file sh", 125, 'The root file system "LAB/file" is not a directory'],
  ["LAB/fifo sh", 125, 'The root file system "LAB/fifo" is not a directory'],
  ["LAB/file/x sh", 125, 'LAB/file/x" '],
  ["--rootfs busybox sh", 125, 'busybox" does not exist'],
  ["/ sh", 125, 'The root file system "/" is the host\'s own'],
  ["LAB/root", 125, "no command was given, and a directory has no default one"],
  ["busybox nosuch", 127, 'Cannot execute "nosuch": it is not found in PATH'],
  ["busybox ./nosuch", 127, 'Cannot execute "./nosuch": there is no such file'],
  ["busybox /bin/nosuch", 127, 'Cannot execute "/bin/nosuch": there is no such file'],
  ["-e PATH=/nowhere busybox true", 127, 'Cannot execute "true": it is not found in PATH'],
  ["--entrypoint nosuch busybox true", 127, 'Cannot execute "nosuch": it is not found in PATH'],
  ["LAB/root nosuch", 127, 'Cannot execute "nosuch": it is not found in PATH'],
  ["LAB/empty sh", 127, 'Cannot execute "sh": it is not found in PATH'],
  ["--ip 172.16.0.0 busybox true", 125, "172.16.0.0 is the network's own address"],
  ["--ip 172.16.255.255 busybox true", 125, "172.16.255.255 is the broadcast address"],
  ["--ip 172.16.0.1 busybox true", 125, "172.16.0.1 is the host's own"],
  ["--ip 172.17.0.5 busybox true", 125, "172.17.0.5 is not in the range 172.16.0.0/16"],
  ["--ip 127.0.0.1 busybox true", 125, "127.0.0.1 is not in the range"],
  ["--ip 224.0.0.1 busybox true", 125, "224.0.0.1 is not in the range"],
  ["--network ptp --ip 172.16.0.9 busybox true", 125, '172.16.0.9 is not in the range 10.251.0.0/16 of network "ptp"'],
  ["--network ptp --ip 10.251.0.1 busybox true", 125, "10.251.0.1 is the host's own"],
  ["--network container:nosuch busybox true", 125, "No such container: nosuch"],
  ["--network ns:/nowhere busybox true", 125, 'There is no network namespace at "/nowhere"'],
  ["--network ns:LAB/file busybox true", 125, 'LAB/file" is not a network namespace'],
  ["--network ns:LAB busybox true", 125, 'LAB" is not a network namespace'],
  ["--network ns:/proc/self/ns/mnt busybox true", 125, "is not a network namespace"],
  ["--network none --add-host up:host-gateway busybox true", 125, "this network has no host-gateway"],
  ["-u nosuch busybox true", 125, "unable to find user nosuch: no matching entries in passwd file"],
  ["-u root:nosuch busybox true", 125, "unable to find group nosuch: no matching entries in group file"],
  ["-u 2147483648 busybox true", 125, "uids and gids must be in range 0-2147483647"],
  ["--group-add nosuch busybox true", 125, "unable to find group nosuch"],
  ["-u www-data LAB/root sh", 125, "unable to find user www-data"],
  ["-v LAB/nowhere:/x busybox true", 125, 'The mount\'s source "LAB/nowhere" does not exist'],
  ["--mount type=bind,src=LAB/nowhere,dst=/x busybox true", 125, 'The mount\'s source "LAB/nowhere" does not exist'],
  ["-v LAB:/proc busybox true", 125, 'Nothing can be mounted on "/proc"'],
  ["--tmpfs /dev busybox true", 125, 'Nothing can be mounted on "/dev"'],
  ["-v LAB:/sys busybox true", 125, 'Nothing can be mounted on "/sys"'],
  ["-v LAB:/x --tmpfs /x busybox true", 125, '"/x" is the target of two mounts'],
  ["--network host --sysctl net.ipv4.ip_forward=1 busybox true", 125, "cannot be used with --network host"],
  ["--network host --ip 10.0.24.5 busybox true", 125, "--ip cannot be used with --network host"],
  ["--network host --mac-address 02:00:00:00:00:01 busybox true", 125, "--mac-address cannot be used with"],
  ["--network none --ip 172.16.0.9 busybox true", 125, "--ip cannot be used with --network none"],
  ["--network container:x -h y busybox true", 125, "--hostname cannot be used with --network container"],
  ["--network container:x --dns 1.1.1.1 busybox true", 125, "--dns cannot be used with --network container"],
  ["--mac-address 01:00:5e:00:00:01 busybox true", 125, "a link cannot have a multicast address"],
  ["--mac-address ff:ff:ff:ff:ff:ff busybox true", 125, "a link cannot have a multicast address"],
  ["--root LAB/file run busybox true", 125, "for --root: not a directory"],
  ["--root LAB/file/below run busybox true", 125, "for --root: not a directory"],
  ["--run-root LAB/file net init", 125, "for --run-root: not a directory"],
  ["--root= run busybox true", 125, 'invalid argument "" for --root: not a directory'],
  ["net inspect nosuch", 125, "No such network: nosuch"],
];

describe("what can be foreseen is refused before anything is made, on a host that skdocker has never been on", () => {
  let before: Snapshot;
  beforeAll(async () => {
    before = await lab.settled();
  });
  for (const [line, code, sentence] of FORESEEN) {
    test(`${line.slice(0, 100)} gives ${code}`, () => {
      const refused = run(line);
      expect([refused.code, refused.stdout]).toEqual([code, ""]);
      expect(refused.stderr).toMatch(/^skdocker: [^\n]+\n$/);
      expect(refused.stderr).toContain(sentence.replaceAll("LAB", lab.directory));
    });
  }
  test("after all of them the host is as before", () => lab.expectUnchanged(before));
});

/** What only the kernel, or another container, can say. */
const MET: readonly Row[] = [
  ["busybox /etc/passwd", 126, 'Cannot execute "/etc/passwd": EACCES (Permission denied)'],
  ["busybox /etc", 126, 'Cannot execute "/etc": EACCES (Permission denied)'],
  ["-u 1000 --tmpfs /t:mode=700 -w /t busybox true", 126, 'Cannot change the working directory to "/t": EACCES'],
  ["LAB/root /bin/script", 127, 'Cannot execute "/bin/script": there is no such file, or its interpreter is missing'],
  ["LAB/root /bin/broken", 126, 'Cannot execute "/bin/broken": ENOEXEC (Exec format error)'],
  ["LAB/root /bin/circle", 126, 'Cannot execute "/bin/circle": ELOOP'],
  ["busybox LONG", 126, "ENAMETOOLONG (File name too long)"],
  ["-w /LONG busybox true", 125, "Cannot make the working directory"],
  ["-w /etc/passwd busybox true", 125, 'Cannot change the working directory to "/etc/passwd": ENOTDIR'],
  ["-v LAB:/LONG busybox true", 125, "ENAMETOOLONG (File name too long)"],
  ["-v LAB/root:/etc/passwd busybox true", 125, 'on "/etc/passwd": one is a directory, the other is not'],
  ["-v LAB/file:/etc busybox true", 125, 'on "/etc": one is a directory, the other is not'],
  ["-v LAB/root:/text LAB/root sh", 125, "is a file, and a directory is to be mounted on it"],
  ["-v LAB/file:/folder LAB/root sh", 125, "is a directory, and a file is to be mounted on it"],
  ["--sysctl net.ipv4.no_such=1 busybox true", 125, 'Cannot set "net.ipv4.no_such=1": ENOENT'],
  ["--sysctl net.ipv4.ip_forward=much busybox true", 125, 'Cannot set "net.ipv4.ip_forward=much": EINVAL'],
  ["--ulimit nofile=99999999999 busybox true", 125, 'Cannot set the limit "nofile=99999999999:99999999999": EPERM'],
  ["--name taken busybox true", 125, 'The container name "taken" is already in use by container '],
  ["--name taken --dry-run busybox true", 125, 'The container name "taken" is already in use by container '],
  ["--ip 172.16.7.7 busybox true", 125, '172.16.7.7 of network "bridge" is already in use by container '],
  ["net reset --purge", 125, 'Cannot purge the network: container "taken" is running (use --force to kill)'],
  ["--root /mnt/data run busybox true", 125, 'Cannot make the directory "/mnt/data": EROFS (Read-only file system)'],
  ["--root /mnt run busybox true", 125, "EROFS (Read-only file system)"],
  ["--run-root /mnt/run run busybox true", 125, "EROFS (Read-only file system)"],
  ["--root /proc/data run busybox true", 125, 'Cannot make the directory "/proc/data": ENOENT'],
];

describe("what is met on the way is undone, and the container beside it is untouched", () => {
  let before: Snapshot;
  let beside: ContainerShell;
  beforeAll(async () => {
    beside = new ContainerShell(lab, "--name", "taken", "--ip", "172.16.7.7");
    await beside.output("ping -c 1 172.16.0.1");
    run("--network=none busybox true");
    before = await lab.settled();
  });
  for (const [line, code, sentence] of MET) {
    test(`${line.slice(0, 100)} gives ${code}`, () => {
      const refused = run(line);
      expect([refused.code, refused.stdout]).toEqual([code, ""]);
      expect(refused.stderr).toMatch(/^skdocker: [^\n]+\n$/);
      expect(refused.stderr).toContain(sentence.replaceAll("LAB", lab.directory));
    });
  }
  test("after all of them the host is as before", async () => {
    expect(await beside.reaches("172.16.0.1")).toBe(true);
    // An address that was leased for a moment is not given again at once: that is what the cursor is for.
    await lab.unchanged(before, { except: /\/networks\/bridge\/cursor/ });
    expect(await beside.exit()).toBe(0);
  });
});

describe("a disk that is full", () => {
  test.each([["--root", 64], ["--run-root", 0]])(
    "under %s is said, and leaves nothing but directories",
    async (flag, size) => {
      const place = lab.output(["mktemp", "-d"]).trim();
      lab.shell(`mount -t tmpfs -o size=${size === 0 ? 4 : size}k full ${place}`);
      if (size === 0) lab.run(["dd", "if=/dev/zero", `of=${place}/fill`]);
      const before = await lab.settled();
      const refused = lab.skdocker(flag, place, "run", "--network", "none", "busybox", "true");
      expect([refused.code, refused.stderr]).toEqual([
        125,
        expect.stringMatching(/^skdocker: Cannot .*ENOSPC \(No space left on device\)\n$/),
      ]);
      await lab.unchanged(before);
      expect(lab.output(["find", place, "-type", "f", "!", "-name", "*.lock", "!", "-name", "fill"])).toBe("");
      lab.output(["umount", place]);
    },
  );
});

test("a data root that overlayfs could not read is refused before it is made", () => {
  for (const name of ["a:b", "a,b", "a\\b"]) {
    const refused = lab.skdocker("--root", `${lab.directory}/${name}`, "run", "busybox", "true");
    expect([refused.code, refused.stderr]).toEqual([125, expect.stringContaining("must have no")]);
    expect(lab.run(["ls", `${lab.directory}/${name}`]).code).not.toBe(0);
  }
});

test("roots may be relative, hold blanks and quotes, be links, and not be there yet", async () => {
  using lab = Lab.create();
  const cwd = `${lab.directory}/roots`;
  lab.shell(`mkdir ${cwd} ${cwd}/real; ln -s real ${cwd}/link`);
  const before = await lab.settled();
  for (
    const [root, runRoot] of [["not/there/yet", "run root/it's"], ["link", "link/run"], ["ünï", '"quoted"']] as const
  ) {
    const at = (...rest: string[]) => lab.run([lab.binary, "--root", root, "--run-root", runRoot, ...rest], { cwd });
    expect(at("run", "--rm", "busybox", "echo", "runs")).toEqual({ code: 0, stdout: "runs\n", stderr: "" });
    expect(lab.output(["ls", `${cwd}/${root}`])).toContain("rootfs\n");
    expect(at("net", "reset", "--purge")).toEqual({ code: 0, stdout: "", stderr: "" });
    await lab.unchanged(before);
  }
  expect(difference(before, lab.snapshot())).toEqual([]);
  expect(lab.output(["ls", `${cwd}/real`])).toBe("");
});

test("a first start refuses no command that can be executed after all, and what the kernel refuses by the kernel's reason", () => {
  using fresh = Lab.create();
  const root = `${fresh.directory}/root`;
  fresh.shell(
    `mkdir -p ${root}/bin ${root}/usr ${root}/opt; cp /bin/busybox ${root}/bin; ln -s busybox ${root}/bin/sh; ln -s /bin ${root}/usr/bin
    ln -s circle ${root}/bin/circle; ln -s ../../../bin/sh ${root}/opt/sh`,
  );
  const first = (...flags: string[]) => {
    const { code } = fresh.skdocker("run", "--network=none", ...flags);
    fresh.output([fresh.binary, "net", "reset", "--purge"]);
    return code;
  };
  expect(first("-w", "/made", root, "../bin/sh", "-c", "exit 3")).toBe(3);
  expect(first("-w", "/bin", root, "./sh", "-c", "exit 3")).toBe(3);
  expect(first("-e", "PATH=/nowhere:/usr/bin", root, "sh", "-c", "exit 3")).toBe(3);
  expect(first("-v", `${root}/bin:/opt`, "busybox", "/opt/sh", "-c", "exit 3")).toBe(3);
  expect(first(root, "/opt/sh", "-c", "exit 3")).toBe(3);
  expect(first(root, "/bin/circle")).toBe(126);
  expect(first(root, "a".repeat(300))).toBe(126);
});
