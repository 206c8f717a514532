/** The start whose program was assembled at build time, against that of the same container by its own plan. */
import { expect, test } from "bun:test";
import { Lab } from "../lab.ts";

/** Asks for nothing, but for a plan: a working directory that is the default one. */
const PLANNED = ["--workdir", "/"];

const LOOK = [
  "id",
  "env | sort",
  "hostname",
  "cat /proc/self/mounts",
  "find /dev /etc | sort | while read f; do ls -ld $f; done",
  "cat /etc/resolv.conf /etc/hosts /etc/hostname",
  "grep -E '^(Cap|Sig(Pnd|Blk|Ign|Cgt)|Shd|NoNew|Seccomp|Groups|Umask)' /proc/1/status",
  "cat /proc/self/cgroup",
  "cat /proc/self/limits",
  "ls -l /proc/1/fd >/tmp/fds; sed 's/.* //' /tmp/fds", // a pipe would be one more
  "sysctl -a 2>/dev/null | grep -E '^net.ipv[46].(ip_|ping|conf.(all|eth0))'",
  "ip address show; ip route",
  "ls -ld /proc/1/ns/* | sed 's/.*ns.//; s/:.*//'",
  "pwd; ps",
];

/** What differs from one container to the next is made the same. */
function normal(text: string): string {
  return text.replace(/[0-9a-f]{64}/g, "ID").replace(/\b[0-9a-f]{12}\b/g, "SHORT").replace(/@if\d+/g, "@ifN")
    .replace(/(172\.16|10\.251)\.0\.\d+/g, "ADDRESS").replace(/02:53(:[0-9a-f]{2}){4}/g, "MAC").replace(
      /(pipe|socket):\[\d+\]/g,
      "STREAM",
    )
    .replace(/gcid=\d+|inode\d+/g, "").replace(/[A-Z][a-z]{2} +\d+ \d\d:\d\d/g, "DATE");
}

function look(lab: Lab, ...flags: string[]): string {
  const { stdout, stderr, code } = lab.skdocker(
    "run",
    "--rm",
    ...flags,
    "busybox",
    "sh",
    "-c",
    LOOK.join("; echo; "),
  );
  expect([code, stderr]).toEqual([0, ""]);
  return normal(stdout);
}

test("a plain container is, in all that it can see of itself, what its own plan would have made it", () => {
  using lab = Lab.create();
  for (const network of ["bridge", "none", "ptp"]) {
    const plain = look(lab, "--network", network);
    expect(plain).toContain("overlay / overlay");
    expect(plain).toBe(look(lab, "--network", network, ...PLANNED));
  }
});

test("what is ignored by the caller is as new for a plain container's command", () => {
  using lab = Lab.create();
  const ask = "grep -E '^Sig(Ign|Blk)' /proc/self/status";
  const command = `trap '' HUP INT USR1 RTMIN+3; exec ${lab.binary} run --rm busybox ${ask}`;
  expect(lab.output(["bash", "-c", command])).toBe("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
});

test("a plain command is looked for as any other, and fails as any other", () => {
  using lab = Lab.create();
  const cases = [
    ["nosuch"],
    ["/nosuch"],
    ["/etc"],
    ["/etc/passwd"],
    ["passwd"],
    ["x".repeat(300)],
    ["true", ..."y".repeat(3000).split("")],
    ["sh", "-c", "exit 7"],
    ["sh", "-c", "kill -9 $$"],
  ];
  for (const command of cases) {
    for (const flags of [[], ["-e", "PATH=/etc"], ["-e", "PATH="], ["-e", "PATH=/a:/b:/c:/d:/e:/f:/g:/bin"]]) {
      const run = (...more: string[]) => lab.skdocker("run", "--rm", ...flags, ...more, "busybox", ...command);
      const [plain, planned] = [run(), run(...PLANNED)];
      expect([plain.code, plain.stderr]).toEqual([planned.code, planned.stderr]);
    }
  }
});

test("a plain container's streams may be any descriptors, in any order, or closed", () => {
  using lab = Lab.create();
  const run = `${lab.binary} run --rm`;
  const cases: [script: string, expected: string][] = [
    [`echo in | ${run} -i busybox cat`, "in"],
    [`echo in | ${run} -i busybox sh -c 'cat >&2' 2>&1`, "in"],
    [`echo in | ${run} -i busybox sh -c 'cat; echo err >&2' 3>&1 1>&2 2>&3`, "err\nin"],
    [`${run} busybox echo out <&-`, "out"],
    [`${run} busybox sh -c 'echo out' 2>&-`, "out"],
    [`exec 7</etc/passwd 8>/dev/null 9<>/dev/null; ${run} busybox sh -c 'ls /proc/self/fd | wc -l'`, "4"],
  ];
  for (const [script, expected] of cases) {
    for (const flags of ["", PLANNED.join(" ")]) {
      const { stdout, stderr } = lab.run(["bash", "-c", script.replace("--rm", `--rm ${flags}`)]);
      expect(stdout + stderr).toBe(`${expected}\n`);
    }
  }
});
