import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileStatus, fileType, pathStatus } from "./file_status.ts";
import { openFile } from "./files.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "skdocker-status-"));
});
afterAll(() => rmSync(root, { recursive: true }));

test("a status has the type, permissions, size and device", () => {
  writeFileSync(join(root, "five"), "12345", { mode: 0o600 });
  const status = pathStatus(join(root, "five"));
  const expected = statSync(join(root, "five"));
  expect(status).toMatchObject({ type: "file", mode: expected.mode, size: 5, inode: expected.ino, uid: expected.uid });
  using device = openFile("/dev/null");
  expect(fileStatus(device.fd)).toMatchObject({ type: "character device", rdevMajor: 1, rdevMinor: 3 });
  expect(pathStatus(join(root, "nothing"))).toBeUndefined();
});

test("the status of a link is the link's own", () => {
  symlinkSync("/etc/passwd", join(root, "link"));
  expect(pathStatus(join(root, "link"))?.type).toBe("link");
});

test("every type of a mode is told", () => {
  const modes = [0o010644, 0o020600, 0o040755, 0o060600, 0o100644, 0o120777, 0o140755, 0];
  const types = ["pipe", "character device", "directory", "block device", "file", "link", "socket", "other"];
  expect(modes.map(fileType) as string[]).toEqual(types);
});
