import { expect, test } from "bun:test";
import type { UserRequest } from "./request.ts";
import { resolveUser } from "./user.ts";

const database = {
  passwd: [
    "root:x:0:0:root:/root:/bin/sh",
    "web:x:33:34:Web:/var/www:/bin/false",
    "web:x:99:99:a second one of that name:/:/bin/false",
    "bare:x:50:51::",
    "nonsense",
    "no-number:x:a:b::/:",
    "1000:x:7:8:a number for a name:/seven:/bin/sh",
    "too-large:x:4294967295:0::/:",
  ].join("\n"),
  group: ["root:x:0:", "web:x:34:", "tty:x:5:web,root", "disk:x:6:other", "bad", "worse:x:y:web", "video:x:44:web"]
    .join("\n"),
};

function resolve(user: string | null, options: { group?: string; groupAdd?: string[] } = {}) {
  const request: UserRequest | null = user === null ? null : { user, group: options.group ?? null };
  return resolveUser(request, { database, groupAdd: options.groupAdd ?? [] });
}

test("without a request it is root, with root's groups and home", () => {
  expect(resolve(null)).toEqual({ uid: 0, gid: 0, additionalGids: [0, 5], home: "/root" });
});

test("a name brings its group, the groups that list it, and its home", () => {
  expect(resolve("web")).toEqual({ uid: 33, gid: 34, additionalGids: [34, 5, 44], home: "/var/www" });
});

test("a number that passwd knows is that user; another has group 0 and the home /", () => {
  expect(resolve("33")).toEqual({ uid: 33, gid: 34, additionalGids: [34, 5, 44], home: "/var/www" });
  expect(resolve("4242")).toEqual({ uid: 4242, gid: 0, additionalGids: [0], home: "/" });
});

test("a name that looks like a number goes before the number", () => {
  expect(resolve("1000")).toEqual({ uid: 7, gid: 8, additionalGids: [8], home: "/seven" });
});

test("a group that is asked for, by name or number, replaces all of the user's", () => {
  expect(resolve("web", { group: "tty" })).toEqual({ uid: 33, gid: 5, additionalGids: [5], home: "/var/www" });
  expect(resolve("web", { group: "777" }).gid).toBe(777);
});

test("groups are added once each", () => {
  expect(resolve("web", { groupAdd: ["disk", "5", "tty", "900"] }).additionalGids).toEqual([34, 5, 44, 6, 900]);
});

test("an entry without a home has /", () => {
  expect(resolve("bare").home).toBe("/");
});

test("who is not there is refused in docker's words", () => {
  expect(() => resolve("who")).toThrow("unable to find user who: no matching entries in passwd file");
  expect(() => resolve("0", { group: "who" })).toThrow("unable to find group who: no matching entries in group file");
  expect(() => resolve("0", { groupAdd: ["who"] })).toThrow("unable to find group who");
  expect(() => resolve("no-number")).toThrow("unable to find user");
  expect(() => resolve("too-large")).toThrow("unable to find user");
});

test("an id of more than 31 bits is refused", () => {
  expect(resolve("2147483647").uid).toBe(2147483647);
  expect(() => resolve("2147483648")).toThrow("uids and gids must be in range 0-2147483647");
  expect(() => resolve("0", { group: "4294967295" })).toThrow("must be in range");
});

test("a container without the files knows numbers only", () => {
  const empty = { database: { passwd: "", group: "" }, groupAdd: [] };
  expect(resolveUser({ user: "5", group: "6" }, empty)).toEqual({ uid: 5, gid: 6, additionalGids: [6], home: "/" });
  expect(() => resolveUser({ user: "root", group: null }, empty)).toThrow("unable to find user root");
});

test("an entry whose home no process could be told is none", () => {
  const passwd = "root:x:0:0:root:/ro\0ot:/bin/sh\n";
  expect(resolveUser(null, { database: { passwd, group: "" }, groupAdd: [] }).home).toBe("/");
});
