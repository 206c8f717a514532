/** A data root or run root that is full, has no inode left or is read-only: one sentence, 125, and nothing is changed. */
import { expect, test } from "bun:test";
import { difference, Lab, type Snapshot, until } from "../lab.ts";

const TIMEOUT = { timeout: 100_000 };
const PAGE = 4096;

type Shortage = "no space" | "no inode" | "read-only";
const SHORTAGES: readonly Shortage[] = ["no space", "no inode", "read-only"];
const SAID = {
  "no space": "ENOSPC (No space left on device)",
  "no inode": "ENOSPC (No space left on device)",
  "read-only": "EROFS (Read-only file system)",
} as const;

/** A small file system of its own in the place of a root, with what was there before. */
class SmallDisk {
  readonly #lab: Lab;
  readonly #path: string;

  constructor(lab: Lab, path: string) {
    this.#lab = lab;
    this.#path = path;
    lab.shell(`mkdir -p ${path} && cp -a ${path} ${lab.directory}/copy && mount -t tmpfs -o mode=755 small ${path}
      cp -a ${lab.directory}/copy/. ${path}/ && rm -r ${lab.directory}/copy; echo something >${path}/filler`);
  }

  /** Leaves so many pages and inodes; `undefined`: as many as there may be. */
  leave({ pages, inodes }: { pages?: number; inodes?: number }): void {
    const used = this.#lab.output(["df", "-B", String(PAGE), "--output=used,iused", this.#path]).split("\n")[1] ?? "";
    const [usedPages = 0, usedInodes = 0] = used.trim().split(/\s+/).map(Number);
    const size = pages === undefined ? 64 * 1024 * 1024 : (usedPages + pages) * PAGE;
    const most = inodes === undefined ? 100_000 : usedInodes + inodes;
    this.#lab.shell(`mount -o remount,rw,size=${size},nr_inodes=${most} ${this.#path}`);
  }

  /** Takes all of something. */
  exhaust(shortage: Shortage): void {
    if (shortage === "read-only") return void this.#lab.shell(`mount -o remount,ro ${this.#path}`);
    this.leave(shortage === "no space" ? { pages: 0 } : { inodes: 0 });
  }
}

/** How the small file system is mounted is the test's own. */
const MOUNT = /mounts: .* tmpfs small /;

/** What is changed apart from the run root's own directories and locks, which are made before anything is claimed. */
function changes(lab: Lab, before: Snapshot): string[] {
  return difference(before, lab.snapshot()).filter((line) =>
    !MOUNT.test(line) &&
    !/ \/run\/skdocker\/(containers|names|networks|networks\/\w+|networks\/\w+\/leases|files|\w+\.lock)$/.test(line)
  );
}

function expectRefused(lab: Lab, args: readonly string[], { said, before }: { said: string; before: Snapshot }): void {
  const { code, stdout, stderr } = lab.skdocker(...args);
  expect({ args, code, stdout }).toEqual({ args, code: 125, stdout: "" });
  expect(stderr).toMatch(/^skdocker: Cannot [^\n]*\n$/);
  expect(stderr).toContain(said);
  expect({ args, changed: changes(lab, before) }).toEqual({ args, changed: [] });
}

/** overlayfs is read-only where it finds no space for what it needs. */
const TOLD = /^skdocker: Cannot [^\n]*: (ENOSPC \(No space left on device\)|EROFS \(Read-only file system\))\n$/;
const RUN = ["run", "--rm", "busybox", "true"];
const FIRST = [RUN, ["run", "--network", "ptp", "busybox", "true"], ["run", "--network", "none", "busybox", "true"]];

for (const shortage of SHORTAGES) {
  for (const [what, root] of [["data root", "dataRoot"], ["run root", "runRoot"]] as const) {
    test(`nothing is begun on a ${what} with ${shortage}`, () => {
      using lab = Lab.create();
      const disk = new SmallDisk(lab, lab[root]);
      disk.exhaust(shortage);
      const before = lab.snapshot();
      for (const args of [...FIRST, ["net", "init"], ["net", "reset"]]) {
        expectRefused(lab, args, { said: SAID[shortage], before });
      }
      expect(lab.skdocker("net", "ls").code).toBe(0);
      disk.leave({});
      expect(lab.skdocker(...RUN)).toMatchObject({ code: 0, stderr: "" });
    });
  }
}

test("whatever a run lacks of space or inodes of a root, it either succeeds or changes nothing", async () => {
  for (const root of ["dataRoot", "runRoot"] as const) {
    using lab = Lab.create();
    expect(lab.skdocker("run", "--rm", "--name", "blue", "--init", "busybox", "true").code).toBe(0);
    const disk = new SmallDisk(lab, lab[root]);
    const before = await lab.settled();
    const codes: number[] = [];
    for (const kind of ["pages", "inodes"] as const) {
      for (let left = 0; left < 12; left++) {
        disk.leave({ [kind]: left });
        const writable = ["grep", "-q", " / / rw.* overlay rw,", "/proc/self/mountinfo"];
        const { code, stderr } = lab.skdocker("run", "--rm", "--name", "blue", "--init", "busybox", ...writable);
        codes.push(code);
        if (code !== 0) expect(stderr).toMatch(TOLD);
        expect([0, 125]).toContain(code);
        await lab.unchanged(before, { except: MOUNT });
      }
      disk.leave({});
    }
    expect({ root, refused: codes.includes(125), succeeded: codes.includes(0) })
      .toEqual({ root, refused: true, succeeded: true });
  }
}, TIMEOUT);

test("a disk that fills up while a container runs changes neither its end nor what is left of it", async () => {
  for (const root of ["dataRoot", "runRoot"] as const) {
    using lab = Lab.create();
    expect(lab.skdocker("run", "--rm", "--name", "blue", "busybox", "true").code).toBe(0);
    const disk = new SmallDisk(lab, lab[root]);
    const before = await lab.settled();
    const container = lab.spawn([lab.binary, "run", "-i", "--name", "blue", "busybox", "sh"], { stdin: "pipe" });
    container.write("echo data >/file; echo up\n");
    await container.waitFor(/up/);
    disk.leave({ pages: 0, inodes: 0 });
    container.write("exit 7\n");
    expect(await container.ended()).toEqual({ code: 7, stdout: "up\n", stderr: "" });
    await lab.unchanged(before, { except: MOUNT });
    // Killed there, it leaves what the next command can clear away without any space.
    disk.leave({});
    const killed = lab.start("run", "--name", "blue", "busybox", "sleep", "1000");
    await until("blue to run", () => lab.run(["pgrep", "-xf", "sleep 1000"]).code === 0);
    disk.leave({ pages: 0, inodes: 0 });
    await killed.kill("SIGKILL");
    await killed.ended();
    expect(lab.skdocker("net", "ls")).toMatchObject({ code: 0, stderr: "" });
    await lab.unchanged(before, { except: MOUNT });
  }
}, TIMEOUT);
