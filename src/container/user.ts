/**
 * Users and groups by the container's own /etc/passwd and /etc/group, as docker reads `-u` and `--group-add`.
 *
 * Pure: texts in, numbers out. The files are the container's, so any line may be nonsense and is then skipped.
 */
import { UserError } from "../user_error.ts";
import type { UserRequest } from "./request.ts";

/** The two files; "" where the container has none. */
export interface UserDatabase {
  readonly passwd: string;
  readonly group: string;
}

/** Who the first process is. */
export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, the first of them `gid`, without double entries. */
  readonly additionalGids: readonly number[];
  readonly home: string;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The largest id: 2^32-1 means "no change" to the kernel, and docker allows 31 bits. */
const LARGEST_ID = 2 ** 31 - 1;

/**
 * The user asked for, or root. A name must be in passwd, a number need not be; without a group it is the user's, or 0.
 * Supplementary groups: the group itself, or a set-gid program that gives it up would leave it for good and pass what
 * is forbidden to it alone (CVE-2022-36109); those that list the user, unless a group was asked for; and `groupAdd`.
 * Throws a {@link UserError} in docker's words for a name that is not there.
 */
export function resolveUser(
  request: UserRequest | null,
  { database, groupAdd }: { database: UserDatabase; groupAdd: readonly string[] },
): ContainerUser {
  const asked = request ?? { user: "0", group: null };
  const entry = findUser(asked.user, database.passwd);
  const groups = parseGroup(database.group);
  const gid = asked.group === null ? entry.gid : findGroup(asked.group, groups);
  const additionalGids = new Set([gid]);
  if (asked.group === null) {
    for (const group of groups) if (group.members.includes(entry.name)) additionalGids.add(group.gid);
  }
  for (const word of groupAdd) additionalGids.add(findGroup(word, groups));
  return { uid: entry.uid, gid, additionalGids: [...additionalGids], home: entry.home };
}

function findUser(word: string, passwd: string): PasswdEntry {
  const entries = parsePasswd(passwd);
  const byName = entries.find(({ name }) => name === word);
  if (byName) return byName;
  const uid = parseId(word);
  if (uid === undefined) throw new UserError(`unable to find user ${word}: no matching entries in passwd file`);
  return entries.find((entry) => entry.uid === uid) ?? { name: "", uid, gid: 0, home: "/" };
}

function findGroup(word: string, groups: readonly GroupEntry[]): number {
  const byName = groups.find(({ name }) => name === word);
  if (byName) return byName.gid;
  const gid = parseId(word);
  if (gid === undefined) throw new UserError(`unable to find group ${word}: no matching entries in group file`);
  return gid;
}

/** A decimal id; `undefined` for anything that is not a number. Throws a {@link UserError} where it is out of range. */
function parseId(word: string): number | undefined {
  if (!/^[0-9]+$/.test(word)) return undefined;
  const id = Number(word);
  if (id > LARGEST_ID) throw new UserError(`uids and gids must be in range 0-${LARGEST_ID}`);
  return id;
}

/** passwd(5): name:password:uid:gid:comment:home:shell. The first entry of a name counts. */
function parsePasswd(text: string): PasswdEntry[] {
  const entries: PasswdEntry[] = [];
  for (const line of text.split("\n")) {
    const [name = "", , uid = "", gid = "", , home = ""] = line.split(":");
    if (!isId(uid) || !isId(gid) || home.includes("\0")) continue;
    entries.push({ name, uid: Number(uid), gid: Number(gid), home: home === "" ? "/" : home });
  }
  return entries;
}

/** group(5): name:password:gid:member,member. */
function parseGroup(text: string): GroupEntry[] {
  const entries: GroupEntry[] = [];
  for (const line of text.split("\n")) {
    const [name = "", , gid = "", members = ""] = line.split(":");
    if (!isId(gid)) continue;
    entries.push({ name, gid: Number(gid), members: members.split(",").filter((member) => member !== "") });
  }
  return entries;
}

function isId(text: string): boolean {
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= LARGEST_ID;
}
