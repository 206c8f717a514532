/** One directory as the root file system of several containers at once. */
import { expect, test } from "bun:test";
import { Lab } from "../lab.ts";

test("mount points that were made in a directory stay until its last container has ended, and then go", async () => {
  using lab = Lab.create();
  const root = `${lab.directory}/root`;
  lab.shell(`mkdir -p ${root}/bin; cp /bin/busybox ${root}/bin/busybox`);
  const found = lab.shell(`find ${root}`);
  const start = () => lab.spawn([lab.binary, "run", "-i", root, "/bin/busybox", "sh"], { stdin: "pipe" });
  const [first, second] = [start(), start()];
  for (const container of [first, second]) {
    container.write("echo ready\n");
    await container.waitFor(/ready/);
  }
  first.closeStdin();
  expect((await first.ended()).code).toBe(0);
  second.write("/bin/busybox cat /proc/self/comm /etc/hostname; echo $? >/dev/null; echo done\n");
  await second.waitFor(/done/);
  expect(second.stderr).toBe("");
  expect(second.stdout).toMatch(/^ready\nbusybox\n[0-9a-f]{12}\ndone\n$/);
  second.closeStdin();
  expect((await second.ended()).code).toBe(0);
  expect(lab.shell(`find ${root}`)).toBe(found);
  expect(lab.run(["ls", "/run/skdocker"]).stdout).not.toContain("directories");
});
