import { expect, test } from "bun:test";
import { mountsOn } from "./mountinfo.ts";

const MOUNTINFO = `\
21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
22 21 0:20 / /a\\040b rw - tmpfs tmpfs rw
23 22 0:21 / /a\\040b/hidden rw - tmpfs tmpfs rw
24 22 0:22 / /a\\040b rw - tmpfs tmpfs rw
25 24 0:23 / /a\\040b/seen rw shared:4 - tmpfs tmpfs rw
`;

test("the mounts on a mount are told by its id, so one that hides others has none of theirs", () => {
  expect(mountsOn(21, MOUNTINFO)).toEqual(["/a b"]);
  expect(mountsOn(22, MOUNTINFO)).toEqual(["/a b/hidden", "/a b"]);
  expect(mountsOn(24, MOUNTINFO)).toEqual(["/a b/seen"]);
  expect(mountsOn(25, MOUNTINFO)).toEqual([]);
});
