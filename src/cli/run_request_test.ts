import { describe, expect, test } from "bun:test";
import { PLAIN_REQUEST } from "../container/request.ts";
import { parseWords } from "./parse.ts";
import { RUN_FLAGS } from "./run_flags.ts";
import { requestFromFlags } from "./run_request.ts";

function request(...words: string[]) {
  const { values, positionals } = parseWords(words, { name: "run", flags: RUN_FLAGS, flagsFirst: true });
  return requestFromFlags(values, positionals, {
    environment: () => ({ TERM: "xterm" }),
    isDirectory: (name) => name === "rootfs",
  });
}

test("a run with nothing said has docker's defaults", () => {
  expect(request("busybox", "true")).toEqual({
    rootfs: { kind: "busybox" },
    command: ["true"],
    name: null,
    autoRemove: false,
    interactive: false,
    tty: false,
    environment: new Map(),
    workdir: null,
    user: null,
    groupAdd: [],
    hostname: null,
    readOnly: false,
    mounts: [],
    labels: new Map(),
    capAdd: [],
    capDrop: [],
    privileged: false,
    noNewPrivileges: false,
    init: false,
    ulimits: [],
    sysctls: new Map(),
    shmSize: null,
    memory: null,
    cpus: null,
    pidsLimit: null,
    network: { mode: { kind: "bridge" }, ip: null, mac: null, dns: [], dnsSearch: [], dnsOptions: [], addHosts: [] },
    explain: "no",
    lectureVerbose: false,
  });
});

test("a plain request is a run with nothing said", () => {
  expect(request("busybox", "true")).toEqual({ ...PLAIN_REQUEST, command: ["true"] });
});

describe("each flag arrives where it belongs", () => {
  const cases: [string, object][] = [
    ["--name web busybox", { name: "web", command: ["sh"] }],
    ["--rm -it busybox", { autoRemove: true, interactive: true, tty: true }],
    ["-e A=1 -e A=2 -e TERM -e NOPE busybox", {
      environment: new Map([["A", "2"], ["TERM", "xterm"], ["NOPE", null]]),
    }],
    ["-w /a/../b busybox", { workdir: "/b" }],
    ["-u 1:2 --group-add 5 --group-add adm busybox", { user: { user: "1", group: "2" }, groupAdd: ["5", "adm"] }],
    ["-h web --read-only --init --privileged busybox", {
      hostname: "web",
      readOnly: true,
      init: true,
      privileged: true,
    }],
    ["-l a=b --label c busybox", { labels: new Map([["a", "b"], ["c", ""]]) }],
    ["--cap-add net_admin --cap-drop all busybox", { capAdd: ["NET_ADMIN"], capDrop: ["ALL"] }],
    ["--security-opt no-new-privileges busybox", { noNewPrivileges: true }],
    ["--security-opt no-new-privileges:true busybox", { noNewPrivileges: true }],
    ["--security-opt no-new-privileges=false busybox", { noNewPrivileges: false }],
    ["--ulimit nofile=1:2 --ulimit core=0 --ulimit nofile=3 busybox", {
      ulimits: [{ name: "core", soft: 0, hard: 0 }, { name: "nofile", soft: 3, hard: 3 }],
    }],
    ["--sysctl net.core.somaxconn=9 busybox", { sysctls: new Map([["net.core.somaxconn", "9"]]) }],
    ["--shm-size 1m -m 8m --cpus .5 --pids-limit 9 busybox", {
      shmSize: 1 << 20,
      memory: 8 << 20,
      cpus: 0.5,
      pidsLimit: 9,
    }],
    ["--rootfs /srv/x echo busybox", { rootfs: { kind: "directory", path: "/srv/x" }, command: ["echo", "busybox"] }],
    ["rootfs /bin/sh -c x", {
      rootfs: { kind: "directory", path: `${process.cwd()}/rootfs` },
      command: ["/bin/sh", "-c", "x"],
    }],
    ["--entrypoint echo busybox a b", { command: ["echo", "a", "b"] }],
    ["--entrypoint echo busybox", { command: ["echo"] }],
    ["--entrypoint= busybox ls", { command: ["ls"] }],
    ["--explain busybox", { explain: "yes" }],
    ["--explain --dry-run busybox", { explain: "dry-run" }],
    ["--name= --hostname= --workdir= --user= busybox", { name: null, hostname: null, workdir: null, user: null }],
  ];
  for (const [line, wanted] of cases) test(line, () => expect(request(...line.split(" "))).toMatchObject(wanted));

  test("mounts of all three flags", () => {
    const { mounts } = request("-v", "/a:/b", "--mount", "type=bind,src=/c,dst=/d", "--tmpfs", "/e", "busybox");
    expect(mounts.map(({ target }) => target)).toEqual(["/b", "/d", "/e"]);
  });
});

describe("what cannot be is refused before anything is touched", () => {
  const cases: [string, string][] = [
    ["--rm", "what to run is missing"],
    ["alpine", '"alpine" is neither busybox nor a directory'],
    ["rootfs", "no command was given, and a directory has no default one"],
    ["--entrypoint= busybox", "no command was given, and --entrypoint takes the default one away"],
    ["--security-opt no-new-privileges=maybe busybox", '"maybe" is neither true nor false'],
    ["-w tmp busybox", 'invalid argument "tmp" for --workdir: not an absolute path'],
    ["--rootfs= ls", 'invalid argument "" for --rootfs: not a directory'],
    ["--security-opt seccomp=x busybox", "seccomp is not supported yet"],
    ["--security-opt fast busybox", "only no-new-privileges is known"],
    ["--network none --ip 1.2.3.4 busybox", "--ip cannot be used with --network none"],
    ["-v /a:/x --tmpfs /x busybox", '"/x" is the target of two mounts'],
    ["--env-file /does/not/exist busybox", 'cannot read the environment file "/does/not/exist": ENOENT'],
  ];
  for (const [line, message] of cases) {
    test(line, () => expect(() => request(...line.split(" "))).toThrow(message));
  }
});
