/** Each flag of `run`, in each of its spellings, by what the container is, has and can do: asked from inside. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { Lab, type RunOptions, type Snapshot } from "../lab.ts";
import { ContainerShell } from "../lab/shell.ts";

let lab: Lab;
let before: Snapshot;
beforeAll(async () => {
  lab = Lab.create();
  mkdirSync(`${lab.directory}/host/below`, { recursive: true });
  writeFileSync(`${lab.directory}/host/file`, "of the host\n");
  writeFileSync(`${lab.directory}/host/a,"b"`, "odd\n");
  lab.shell(`mount -t tmpfs below ${lab.directory}/host/below && echo deep >${lab.directory}/host/below/deep`);
  // What is made once for all containers: the bridge, the built-in files, the parents of the control groups.
  lab.skdocker("run", "--init", "--cap-add", "ALL", "-m", "16m", "--cpus", "1", "--pids-limit", "9", "busybox", "true");
  before = await lab.settled();
});
afterAll(() => lab[Symbol.dispose]());

/** What a script prints in a container with these flags, which may have DIR for the lab's directory; on no network. */
function ask(flags: string, script: string, options: RunOptions = {}): string {
  const words = flags.split(" ").filter((word) => word !== "").map((word) => word.replaceAll("DIR", lab.directory));
  const run = [lab.binary, "run", "--rm", "--network=none", ...words, "busybox", "sh", "-c", `{ ${script}; } 2>&1`];
  const { code, stdout, stderr } = lab.run(run, options);
  if (code !== 0 || stderr !== "") throw new Error(`exit code ${code}: ${stdout}${stderr}`);
  return stdout.trim();
}

/** Flags, what is asked inside, what is answered. */
type Row = readonly [flags: string, script: string, answer: string | RegExp];

function answers(rows: readonly Row[], options?: RunOptions): void {
  for (const [flags, script, answer] of rows) {
    test(`${flags || "nothing said"}: ${script.slice(0, 70)}`, () => {
      if (answer instanceof RegExp) expect(ask(flags, script, options)).toMatch(answer);
      else expect(ask(flags, script, options)).toBe(answer);
    });
  }
}

describe("variables", () => {
  const env = { CALLER: "from outside", HOSTNAME: "x" };
  const show = 'echo "$A|$B|$CALLER"';
  answers([
    ["-e A=1 --env B=2", show, "1|2|"],
    ["--env=A=1=2 -eB=2", show, "1=2|2|"],
    ["-e=A=1 -e A=3", show, "3||"],
    ["-e CALLER -e A=", show, "||from outside"],
    ["-ieCALLER", show, "||from outside"],
    ["-e HOSTNAME", 'echo "$HOSTNAME"', "x"],
    ["-e NOT_THERE -h box", 'echo "${NOT_THERE-unset} $HOSTNAME $HOME"', "unset box /root"],
    ["-e TERM", 'echo "${TERM-unset}"', "unset"],
    ["-e PATH=/bin:/nowhere -e HOME=/tmp", 'echo "$PATH $HOME"', "/bin:/nowhere /tmp"],
  ], { env });

  test("a name that the caller doesn't have takes the default away", () => {
    expect(ask("-e NO_SUCH -e TERM -t", 'echo "${TERM-unset}"')).toBe("unset");
  });

  test("a file has comments, blank lines, values as they are, and names whose value is the caller's", () => {
    const lines = [
      "# no",
      "",
      "  A= two  words # all of it",
      'B="quoted"',
      "CALLER",
      "NOT_THERE",
      "C=$A",
      "D",
      "E=last",
    ];
    writeFileSync(`${lab.directory}/variables`, lines.join("\n"));
    const shown = 'env | grep -E "^(A|B|C|D|E|CALLER|NOT_THERE)=" | sort';
    expect(ask("--env-file DIR/variables -e E=flag", shown, { env }))
      .toBe('A= two  words # all of it\nB="quoted"\nC=$A\nCALLER=from outside\nE=flag');
    writeFileSync(`${lab.directory}/more`, "A=more\r\n");
    expect(ask("--env-file=DIR/variables --env-file DIR/more", "echo $A")).toBe("more");
  });
});

describe("who and where", () => {
  answers([
    ["", "id; grep Groups /proc/self/status", /^uid=0\(root\) gid=0\(root\) groups=0\(root\)\nGroups:\t0 ?$/],
    ["-u 1000", "id; echo $HOME", "uid=1000 gid=0(root) groups=0(root)\n/"],
    ["-u1000:5", "id", "uid=1000 gid=5(tty) groups=5(tty)"],
    ["--user=www-data", "id; echo $HOME", "uid=33(www-data) gid=33(www-data) groups=33(www-data)\n/var/www"],
    ["--user www-data:tty", "id", "uid=33(www-data) gid=5(tty) groups=5(tty)"],
    ["-u 1000:", "id", "uid=1000 gid=0(root) groups=0(root)"],
    ["-u :5", "id", "uid=0(root) gid=5(tty) groups=5(tty)"],
    ["-u 1000 --group-add tty --group-add=999", "id", "uid=1000 gid=0(root) groups=0(root),5(tty),999"],
    ["-w /tmp", "pwd", "/tmp"],
    ["--workdir=/made/here/../there/ -u 1000", "pwd; ls -ld . | cut -c1-10", "/made/there\ndrwxr-xr-x"],
    ["-h box", "hostname; cat /etc/hostname; echo $HOSTNAME", "box\nbox\nbox"],
    ["--hostname=box.example.org", "hostname; hostname -s 2>/dev/null || true", /^box\.example\.org/],
    ["", "hostname | wc -c; hostname | tr -d 0-9a-f", "13"],
  ]);
});

describe("files", () => {
  const host = "DIR/host";
  answers([
    [`-v ${host}:/h`, "cat /h/file /h/below/deep; echo new >/h/new; cat /h/new; rm /h/new", "of the host\ndeep\nnew"],
    [`--volume=${host}/file:/f:ro`, "cat /f; (echo x >>/f); true", /^of the host\nsh: .*Read-only file system$/],
    [
      `-v ${host}:/h:ro,z`,
      "touch /h/x /h/below/x || true",
      /^touch: \/h\/x: Read-only .*\ntouch: \/h\/below\/x: Read-only/,
    ],
    [`-v ${host}:/h -w /h`, "cat file", "of the host"],
    [`-v ${host}:/deep/er:ro --tmpfs /h -w /deep/er/below`, "cat deep", "deep"],
    [`--tmpfs /h -w /h/made/below`, "pwd; ls /h", "/h/made/below\nmade"],
    [`-v=${host}:/h:Z,rw -v ${host}:/h:Z,rw`, "cat /h/file", "of the host"],
    [`-v ${host}/file:/etc/hosts`, "cat /etc/hosts", "of the host"],
    [`-v ${host}:/deep/er/place`, "cat /deep/er/place/file; ls -ld /deep/er | cut -c1-10", "of the host\ndrwxr-xr-x"],
    [
      `--mount type=bind,source=${host},target=/h,readonly`,
      "touch /h/x /h/below/x || true",
      /(Read-only.*){1}\n.*Read-only/,
    ],
    [`--mount type=bind,src=${host},dst=/h,ro=false`, "cat /h/below/deep; touch /h/x; rm /h/x", "deep"],
    [`--mount type=bind,src=${host},destination=/h,bind-nonrecursive`, "ls /h/below | wc -l", "0"],
    [`--mount type=bind,src=${host},dst=/h,bind-propagation=rprivate`, "cat /h/file", "of the host"],
    [`--mount type=bind,"src=${host}/a,""b""",dst=/odd`, "cat /odd", "odd"],
    [
      "--mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700",
      "df -k /t | tail -n 1 | awk '{print $2}'; ls -ld /t | cut -c1-10",
      "1024\ndrwx------",
    ],
    [
      "--tmpfs /t",
      "grep ' /t ' /proc/mounts | cut -d' ' -f4; ls -ld /t | cut -c1-10",
      "rw,nosuid,nodev,noexec,relatime\ndrwxrwxrwt",
    ],
    [
      "--tmpfs /t:size=64k,mode=1770,uid=5,gid=6",
      "ls -ldn /t | awk '{print $1, $3, $4}'; df -k /t | tail -n 1 | awk '{print $2}'",
      "drwxrwx--T 5 6\n64",
    ],
    ["--tmpfs /t:exec", "cp /bin/busybox /t && /t/busybox echo runs", "runs"],
    [
      "--tmpfs /t:rw,exec,noexec,nr_inodes=4",
      "cp /bin/busybox /t; /t/busybox || true; touch /t/a /t/b /t/c || true",
      /Permission denied\n.*No space left/,
    ],
    ["--tmpfs /t --tmpfs /t:ro", "touch /t/x || true", /Read-only/],
    [
      "--read-only",
      "touch /x /etc/x; (echo x >>/etc/hosts); touch /dev/shm/x && echo writable; true",
      /(Read-only[^]*){3}\nwritable$/,
    ],
    ["--read-only --tmpfs /tmp", "touch /tmp/x && echo writable", "writable"],
    ["--read-only=false", "touch /x && echo y >>/etc/hosts && echo writable", "writable"],
    ["", "df -k /dev/shm | tail -n 1 | awk '{print $2}'", "65536"],
    ["--shm-size 1m", "df -k /dev/shm | tail -n 1 | awk '{print $2}'", "1024"],
    ["--shm-size=2097152", "df -k /dev/shm | tail -n 1 | awk '{print $2}'", "2048"],
  ]);

  test("the host's directory is found from where the caller stands", () => {
    const run = (source: string) =>
      lab.run([lab.binary, "run", "--network=none", "-v", `${source}:/h`, "busybox", "cat", "/h/file"], {
        cwd: `${lab.directory}/host`,
      });
    expect(run(".").stdout).toBe("of the host\n");
    expect(run("../host/").stdout).toBe("of the host\n");
  });
});

describe("rights", () => {
  const effective = "grep CapEff /proc/self/status | cut -f2";
  answers([
    ["", effective, "00000000a80425fb"],
    ["--cap-add NET_ADMIN", effective, "00000000a80435fb"],
    ["--cap-add=cap_net_admin --cap-drop chown", effective, "00000000a80435fa"],
    ["--cap-drop ALL", effective, "0000000000000000"],
    ["--cap-drop=all --cap-add=CAP_CHOWN --cap-add kill", effective, "0000000000000021"],
    ["-u 1000 --cap-add NET_ADMIN", effective, "0000000000000000"],
    ["--security-opt no-new-privileges", "grep NoNewPrivs /proc/self/status | cut -f2", "1"],
    ["--security-opt=no-new-privileges:true", "grep NoNewPrivs /proc/self/status | cut -f2", "1"],
    ["--security-opt no-new-privileges=0", "grep NoNewPrivs /proc/self/status | cut -f2", "0"],
    ["--privileged=false", effective, "00000000a80425fb"],
    [
      "--privileged",
      "mkdir /m && mount -t tmpfs t /m && echo mounted; grep Seccomp: /proc/self/status",
      "mounted\nSeccomp:\t0",
    ],
  ]);

  test("--privileged brings all devices of the host, each with its numbers, mode and owner, and no other run does", () => {
    const nodes =
      "find /dev -type c -o -type b | grep -vE '^/dev/(pts|shm|console|ptmx)' | sort | xargs stat -c '%n %t %T %a %u %g'";
    const host = lab.output(["sh", "-c", nodes]).trim().split("\n");
    expect(host.length).toBeGreaterThan(6);
    expect(ask("--privileged", nodes).split("\n")).toEqual(host);
    expect(ask("--cap-add ALL", nodes).split("\n").length).toBe(6);
    expect(ask("--privileged -t", "ls /dev/console; mknod /zero c 1 5 && head -c 3 /zero | wc -c")).toMatch(
      /console\r?\n3$/,
    );
  });

  test("--cap-add ALL and --privileged give what the host itself has", () => {
    const own = lab.output(["sh", "-c", "grep CapBnd /proc/self/status | cut -f2"]).trim();
    expect(ask("--cap-add ALL", effective)).toBe(own);
    expect(ask("--privileged --cap-drop NET_RAW", effective)).toBe(own); // as in docker
  });
});

describe("limits and settings", () => {
  answers([
    ["--ulimit nofile=100:200", "ulimit -n; ulimit -Hn", "100\n200"],
    ["--ulimit=nofile=100 --ulimit core=0", "ulimit -n; ulimit -Hn; ulimit -c", "100\n100\n0"],
    ["--ulimit nofile=5:-1 --ulimit nofile=70", "ulimit -n", "70"],
    ["--ulimit stack=-1", "ulimit -s", "unlimited"],
    ["--sysctl net.ipv4.ip_default_ttl=44", "cat /proc/sys/net/ipv4/ip_default_ttl", "44"],
    [
      "--sysctl=kernel.msgmax=4096 --sysctl fs.mqueue.msg_max=20",
      "cat /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max",
      "4096\n20",
    ],
    ["--sysctl net.ipv4.conf.lo.forwarding=1", "cat /proc/sys/net/ipv4/conf/lo/forwarding", "1"],
    ["-m 16m", "dd if=/dev/zero of=/dev/shm/x bs=1M count=32; echo $?", /Killed\n137$/],
    ["--memory=64m --shm-size 40m", "dd if=/dev/zero of=/dev/shm/x bs=1M count=32 2>/dev/null; echo $?", "0"],
    ["--pids-limit 4", "(for i in 1 2 3 4 5; do sleep 0.1 & done); true", /can't fork/],
    ["--pids-limit=-1", "for i in 1 2 3 4 5; do true & done; wait; echo all", "all"],
  ]);

  test("--cpus is a quota of the container's control group", async () => {
    const shell = new ContainerShell(lab, "--network=none", "--cpus", "0.25");
    await shell.output("true");
    const found = lab.shell(
      "cat $(find /sys/fs/cgroup -path '*/skdocker/*/*' '(' -name cpu.max -o -name cpu.cfs_quota_us ')') | sort -u",
    );
    expect(found.trim()).toMatch(/^25000( 100000)?$/);
    await shell.exit();
  });
});

describe("the command", () => {
  const run = (...words: string[]) => lab.skdocker("run", "--network=none", ...words);

  test("what follows the root file system is the command's", () => {
    expect(run("busybox", "echo", "--rm", "-it", "--", "x").stdout).toBe("--rm -it -- x\n");
    expect(run("--rm=false", "--", "busybox", "echo", "-t").stdout).toBe("-t\n");
    expect(run("-i=false", "--rm=1", "-t=0", "busybox", "echo", "x").stdout).toBe("x\n");
  });

  test("an entry point goes first, and an empty one is none", () => {
    expect(run("--entrypoint", "echo", "busybox", "a", "b").stdout).toBe("a b\n");
    expect(run("--entrypoint=/bin/echo", "busybox").stdout).toBe("\n");
    expect(run("--entrypoint", "", "busybox", "echo", "x").stdout).toBe("x\n");
    expect(run("--entrypoint", "echo x", "busybox")).toMatchObject({ code: 127 });
  });

  test("an init is the first process, reaps what is left to it, and passes on signals and the exit code", async () => {
    const script = "(sleep 0 & exec sleep 0); cat /proc/1/cmdline | tr '\\0' ' '; exit 7";
    const { code, stdout } = run("--init", "busybox", "sh", "-c", script);
    expect([code, stdout]).toEqual([7, `/sbin/docker-init -- sh -c ${script} `]);
    const sleeping = lab.start("run", "--init", "--network=none", "busybox", "sh", "-c", "echo up; exec sleep 60");
    await sleeping.waitFor(/up/);
    await sleeping.kill("SIGTERM");
    expect((await sleeping.ended()).code).toBe(143);
  });

  test("what an init is made of cannot be changed by a container", () => {
    const script =
      "cd /sbin; for do in 'chmod 777' 'chown 5' 'touch' 'rm'; do $do docker-init; done; (echo x >>docker-init)";
    run("--init", "busybox", "sh", "-c", script);
    expect(lab.output(["sh", "-c", `stat -c '%a %u' ${lab.dataRoot}/rootfs/tini-*`])).toBe("755 0\n");
    expect(
      ask("--init", "stat -c '%a %u' /sbin/docker-init; grep docker-init /proc/mounts | cut -d' ' -f4 | cut -c1-3"),
    )
      .toBe("755 0\nro,");
  });

  test("input reaches the command with -i alone", () => {
    const cat = (...flags: string[]) =>
      lab.run([lab.binary, "run", "--network=none", ...flags, "busybox", "cat"], { stdin: "in\n" });
    expect(cat("-i").stdout).toBe("in\n");
    expect(cat("--interactive=true").stdout).toBe("in\n");
    expect(cat().stdout).toBe("");
  });

  test("-t is a terminal, whose lines end as a terminal's do", async () => {
    expect(run("-t", "busybox", "sh", "-c", "tty; echo $TERM").stdout).toBe("/dev/pts/0\r\nxterm\r\n");
    const typed = lab.terminal([lab.binary, "run", "-it", "--network=none", "busybox", "tty"]);
    expect(await typed.ended()).toEqual({ code: 0, output: "/dev/pts/0\r\n" });
    expect(run("--tty", "-e", "TERM=dumb", "busybox", "sh", "-c", "echo $TERM").stdout).toBe("dumb\r\n");
  });
});

test("a command on a terminal whose output nobody reads any more ends, as one on a pipe does", () => {
  for (const flag of ["-t", "-i"]) {
    const line = `${lab.binary} run ${flag} --network=none busybox yes 2>/dev/null | head -n 1`;
    expect(lab.output(["sh", "-c", line], { timeout: 10_000 }).trim()).toBe("y");
  }
});

describe("names and labels", () => {
  test("a container is known by its name, of which there is one", async () => {
    const shell = new ContainerShell(lab, "--name=web", "--label", "tier=front", "-l", "plain", "--network", "bridge");
    await shell.output("true");
    expect(lab.ip("link", "show", "type", "veth").map(({ ifalias }) => ifalias)).toContain("web");
    const labels = /"labels":(\{[^}]*\})/.exec(lab.shell(`cat ${lab.runRoot}/containers/*`))?.[1];
    expect(JSON.parse(labels ?? "null")).toEqual({ tier: "front", plain: "" });
    const second = lab.skdocker("run", "--name", "web", "busybox", "true");
    expect([second.code, second.stderr]).toEqual([
      125,
      expect.stringContaining('The container name "web" is already in use'),
    ]);
    await shell.exit();
  });
});

describe("the network", () => {
  /** On the bridge unless the flags say otherwise. */
  const net = (flags: string, script: string) =>
    lab.run([lab.binary, "run", ...flags.split(" "), "busybox", "sh", "-c", script]);

  test("--ip and --mac-address are the link's, by flag or by option of --network", () => {
    const link = "ip -o -4 address show eth0 | awk '{print $4}'; cat /sys/class/net/eth0/address";
    for (
      const flags of [
        "--ip 172.16.7.7 --mac-address 02:00:00:00:00:07",
        "--ip=172.16.7.7 --mac-address=02-00-00-00-00-07",
        "--network bridge,ip=172.16.7.7,mac-address=0200.0000.0007",
        "--network name=bridge,ip=172.16.7.7 --mac-address 02:00:00:00:00:07",
        "--net=bridge --ip 172.16.7.7 --mac-address 02:00:00:00:00:07",
      ]
    ) expect([flags, net(flags, link).stdout]).toEqual([flags, "172.16.7.7/16\n02:00:00:00:00:07\n"]);
  });

  test("--dns, --dns-search and --dns-option are the lines of resolv.conf", () => {
    const flags =
      "--dns 9.9.9.9 --dns=2001:db8::53 --dns-search a.org --dns-search=b. --dns-option ndots:2 --dns-opt timeout:1";
    const lines = net(flags, "grep -v '^#' /etc/resolv.conf").stdout.trim().split("\n");
    expect(lines.toSorted()).toEqual([
      "nameserver 2001:db8::53",
      "nameserver 9.9.9.9",
      "options ndots:2 timeout:1",
      "search a.org b",
    ]);
    expect(net("--dns-search .", "cat /etc/resolv.conf").stdout).not.toContain("search");
    expect(net("--dns none", "cat /etc/resolv.conf").stdout).toBe("");
  });

  test("--add-host adds lines to /etc/hosts, in each spelling", () => {
    const flags =
      "--add-host a:1.2.3.4 --add-host=b=5.6.7.8 --add-host c:::1 --add-host d=[2001:db8::1] --add-host up:host-gateway";
    const lines = net(flags, "cat /etc/hosts; ping -c 1 -W 2 up >/dev/null && echo reached").stdout;
    for (const line of ["1.2.3.4\ta", "5.6.7.8\tb", "::1\tc", "2001:db8::1\td", "172.16.0.1\tup"]) {
      expect(lines).toContain(`\n${line}\n`);
    }
    expect(lines).toEndWith("reached\n");
  });

  test("-h on the host's network is the container's own name, and the host keeps its", () => {
    const before = lab.output(["hostname"]);
    expect(net("--network host -h other", "hostname").stdout).toBe("other\n");
    expect(lab.output(["hostname"])).toBe(before);
  });
});

test("nothing is left of all these containers", async () => {
  await lab.unchanged(before, { except: /\/former|\/cursor/ });
});
