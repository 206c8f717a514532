/** Names people give: of a container, of its host, of a user, of a label. */
import type { UserRequest } from "../../container/request.ts";
import { invalidArgument } from "./invalid.ts";

/** docker's rule for a container's name, which is a file's name and a link's alias, too: IFALIASZ, NAME_MAX. */
export function parseContainerName(text: string): string {
  if (text.length > 255) throw invalidArgument("a name has at most 255 characters", { flag: "--name", text });
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(text)) return text;
  throw invalidArgument("a name is two or more of a-z A-Z 0-9 _ . - and begins with a letter or a digit", {
    flag: "--name",
    text,
  });
}

/** A host name as sethostname(2) takes it: at most 64 bytes, of which each part is a label of RFC 1123. */
export function parseHostname(text: string): string {
  const isName = /^[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?)*$/;
  if (text.length <= 64 && isName.test(text)) return text;
  throw invalidArgument("not a host name", { flag: "--hostname", text });
}

/** `root`, `1000`, `1000:1000`, `www-data:adm`, `1000:` (its own group), `:adm` (root's user); numbers up to 2³²−2. */
export function parseUser(text: string): UserRequest {
  const [user = "", group = "", ...rest] = text.split(":");
  if (rest.length > 0 || (user !== "" && !isUserWord(user)) || (group !== "" && !isUserWord(group))) {
    throw invalidArgument("not a user or user:group", { flag: "--user", text });
  }
  return { user: user === "" ? "0" : user, group: group === "" ? null : group };
}

/** A group's name or number, for `--group-add`. */
export function parseGroup(text: string): string {
  if (!isUserWord(text)) throw invalidArgument("not a group", { flag: "--group-add", text });
  return text;
}

function isUserWord(text: string): boolean {
  if (/^[0-9]+$/.test(text)) return Number(text) < 0xffffffff;
  return text !== "" && !/[\s:,/\0]/.test(text) && !text.startsWith("-");
}

/** Adds `key=value`, or `key` with an empty value. */
export function addLabel(labels: Map<string, string>, text: string): void {
  const equals = text.indexOf("=");
  const key = equals < 0 ? text : text.slice(0, equals);
  if (key === "" || /\s/.test(key)) {
    throw invalidArgument("a label needs a name without blanks", { flag: "--label", text });
  }
  labels.set(key, equals < 0 ? "" : text.slice(equals + 1));
}
