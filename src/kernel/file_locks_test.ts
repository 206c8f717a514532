import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LOCK_EX, lockFile, takeOwnLock, tryOwnLock } from "./file_locks.ts";
import { openFile } from "./files.ts";
import { O_CREAT, O_RDWR } from "./open_flags.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "skdocker-locks-"));
});
afterAll(() => rmSync(root, { recursive: true }));

/** Of flock(1), which tries and does not wait. */
const flockRefuses = (path: string) => Bun.spawnSync(["flock", "--nonblock", path, "true"]).exitCode === 1;

test("a lock is held by one open file at a time, until that is closed", () => {
  const path = join(root, "lock");
  const file = openFile(path, { flags: O_RDWR | O_CREAT, mode: 0o600 });
  expect(flockRefuses(path)).toBe(false);
  lockFile(file.fd, LOCK_EX);
  expect(flockRefuses(path)).toBe(true);
  file.close();
  expect(flockRefuses(path)).toBe(false);
});

/** What another process's fcntl(2) finds: a Perl of this machine's own, whose struct flock is the kernel's. */
function tryElsewhere(path: string): string {
  const program = `use Fcntl; my $lock = pack("ssx4qqlx4", 1, 0, 0, 0, 0);
    open(F, "+<", $ARGV[0]) or die; print fcntl(F, F_SETLK, $lock) ? "taken" : "refused"`;
  return Bun.spawnSync(["perl", "-e", program, path]).stdout.toString();
}

test("a process's own lock keeps other processes out, and ends when it closes the file", () => {
  const path = join(root, "own");
  const file = openFile(path, { flags: O_RDWR | O_CREAT, mode: 0o600 });
  expect(tryElsewhere(path)).toBe("taken");
  expect(tryOwnLock(file.fd)).toBe(true);
  takeOwnLock(file.fd); // it is ours, so there is nothing to wait for
  expect(tryElsewhere(path)).toBe("refused");
  file.close();
  expect(tryElsewhere(path)).toBe("taken");
});
