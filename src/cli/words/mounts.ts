/** `--volume`, `--mount` and `--tmpfs`: three ways to write a mount. */
import type { MountRequest } from "../../container/request.ts";
import { didYouMean } from "../suggest.ts";
import { type FlagWord, invalidArgument } from "./invalid.ts";
import { absolutePath, containerPath } from "./path.ts";
import { parseSize } from "./size.ts";

type Tmpfs = Extract<MountRequest, { kind: "tmpfs" }>;

/** `HOST:DIR[:ro|rw]`. A HOST without `/` or a leading `.` is docker's named volume, which is refused. */
export function parseVolume(text: string): MountRequest {
  const word = { flag: "--volume", text };
  const [source = "", target, options, ...rest] = text.split(":");
  if (rest.length > 0) throw invalidArgument("not HOST:DIR[:ro]", word);
  if (target === undefined) throw invalidArgument("anonymous volumes are not supported yet, write HOST:DIR", word);
  if (source === "") throw invalidArgument("the directory of the host is missing", word);
  if (!source.startsWith("/") && !source.startsWith(".")) {
    throw invalidArgument(`named volumes are not supported yet, for a directory write "./${source}"`, word);
  }
  const readOnly = options !== undefined && readVolumeOptions(options, word);
  return { kind: "bind", source: absolutePath(source), target: readTarget(target, word), readOnly, recursive: true };
}

/** Options in which there is nothing to do here: SELinux labels, macOS' caches, the default propagation. */
const WITHOUT_EFFECT = "z Z consistent cached delegated rprivate nocopy";

/** How mounts of one side may appear on the other; here none does. */
const PROPAGATIONS = ["private", "shared", "slave", "rshared", "rslave"];

function readVolumeOptions(options: string, word: FlagWord): boolean {
  let access: boolean | undefined;
  for (const option of options.split(",")) {
    if (option === "ro" || option === "rw") {
      if (access !== undefined) throw invalidArgument("ro or rw may be said once", word);
      access = option === "ro";
    } else if (!WITHOUT_EFFECT.split(" ").includes(option)) {
      const hint = option === "readonly" ? ", did you mean ro?" : "";
      const known = PROPAGATIONS.includes(option) ? "not supported yet" : `not known${hint}`;
      throw invalidArgument(`the option "${option}" is ${known}`, word);
    }
  }
  return access ?? false;
}

function readTarget(target: string, word: FlagWord): string {
  const path = containerPath(target);
  if (path === undefined) throw invalidArgument(`the target "${target}" is not an absolute path`, word);
  if (path === "/") throw invalidArgument("the target cannot be /", word);
  return path;
}

const NO_OPTIONS = {
  readOnly: false,
  executable: false,
  setUid: false,
  size: null,
  inodes: null,
  mode: null,
  uid: null,
  gid: null,
};

/** `DIR[:OPTION,…]` with ro, rw, exec, noexec, suid, nosuid, nodev, size=, nr_inodes=, mode=, uid=, gid=. */
export function parseTmpfs(text: string): Tmpfs {
  const word = { flag: "--tmpfs", text };
  const colon = text.indexOf(":");
  const target = readTarget(colon < 0 ? text : text.slice(0, colon), word);
  const options: { -readonly [Key in keyof typeof NO_OPTIONS]: Tmpfs[Key] } = { ...NO_OPTIONS };
  if (colon >= 0) {
    for (const option of text.slice(colon + 1).split(",")) {
      const equals = option.indexOf("=");
      const name = equals < 0 ? option : option.slice(0, equals);
      const value = equals < 0 ? undefined : option.slice(equals + 1);
      if (name === "ro" || name === "rw") options.readOnly = name === "ro";
      else if (name === "exec" || name === "noexec") options.executable = name === "exec";
      else if (name === "suid" || name === "nosuid") options.setUid = name === "suid";
      else if (name === "size") options.size = readTmpfsSize(value ?? "", word);
      else if (name === "nr_inodes") options.inodes = readCount(value ?? "", word);
      else if (name === "mode") options.mode = readMode(value, word);
      else if (name === "uid" || name === "gid") options[name] = readId(value, { ...word, name });
      else if (name === "dev") throw invalidArgument('"dev" is not supported: no device works in a tmpfs', word);
      else if (!["", "nodev", "noatime", "relatime"].includes(name)) {
        throw invalidArgument(`the option "${option}" is not supported`, word);
      }
    }
  }
  return { kind: "tmpfs", target, ...options };
}

/** The kernel's own words: bytes, or per cent of the memory. */
function readTmpfsSize(value: string, word: FlagWord): number | `${number}%` {
  if (/^[0-9]{1,6}%$/.test(value)) return value as `${number}%`;
  return readSize(value, word);
}

function readSize(value: string, word: FlagWord): number {
  const size = parseSize(value);
  if (size === undefined) throw invalidArgument(`"${value}" is not a size`, word);
  return size;
}

/** The kernel takes the suffixes of sizes here, too. */
function readCount(value: string, word: FlagWord): number {
  const count = parseSize(value);
  if (count === undefined) throw invalidArgument(`"${value}" is not a number`, word);
  return count;
}

function readMode(value: string | undefined, word: FlagWord): number {
  if (value === undefined || !/^[0-7]{1,5}$/.test(value) || Number.parseInt(value, 8) > 0o7777) {
    throw invalidArgument(`"${value ?? ""}" is not an octal mode`, word);
  }
  return Number.parseInt(value, 8);
}

function readId(value: string | undefined, word: FlagWord & { name: string }): number {
  if (value === undefined || !/^[0-9]+$/.test(value) || Number(value) >= 0xffffffff) {
    throw invalidArgument(`"${value ?? ""}" is not a ${word.name}`, word);
  }
  return Number(value);
}

/** What `--mount` takes for each type, with docker's other spellings. */
const MOUNT_KEYS =
  "type source src target destination dst readonly ro bind-propagation bind-nonrecursive bind-recursive " +
  "consistency tmpfs-size tmpfs-mode";

/** `type=bind,source=HOST,target=DIR[,readonly]` or `type=tmpfs,target=DIR[,tmpfs-size=64m][,tmpfs-mode=1770]`. */
export function parseMount(text: string): MountRequest {
  const word = { flag: "--mount", text };
  const fields = readFields(text, word);
  const type = (fields.get("type") ?? "volume").toLowerCase();
  if (type !== "bind" && type !== "tmpfs") {
    const known = ["volume", "image", "npipe", "cluster"].includes(type);
    throw invalidArgument(`type=${type} is ${known ? "not supported yet" : "not known"}, use bind or tmpfs`, word);
  }
  const target = fields.get("target");
  if (target === undefined) throw invalidArgument("target= is missing", word);
  const place = { target: readTarget(target, word), readOnly: readSwitch(fields.get("readonly"), word) };
  const foreign = [...fields.keys()].find((key) => key.startsWith(type === "bind" ? "tmpfs-" : "bind-"));
  if (foreign !== undefined) throw invalidArgument(`${foreign}= does not belong to type=${type}`, word);
  return type === "bind" ? readBind(fields, { ...place, word }) : readTmpfs(fields, { ...place, word });
}

interface Place {
  readonly target: string;
  readonly readOnly: boolean;
  readonly word: FlagWord;
}

function readBind(fields: Map<string, string>, { target, readOnly, word }: Place): MountRequest {
  const source = fields.get("source");
  if (source === undefined || source === "") throw invalidArgument("source= is missing", word);
  const propagation = fields.get("bind-propagation") ?? "rprivate";
  if (propagation !== "rprivate") {
    const known = PROPAGATIONS.includes(propagation) ? "not supported yet" : "not known";
    throw invalidArgument(`bind-propagation=${propagation} is ${known}`, word);
  }
  const recursive = readRecursion(fields, word) && !readSwitch(fields.get("bind-nonrecursive"), word);
  return { kind: "bind", source: absolutePath(source), target, readOnly, recursive };
}

/** `readonly` says what holds here anyway: what lies below a read-only bind is read-only, too. */
function readRecursion(fields: Map<string, string>, word: FlagWord): boolean {
  const recursion = fields.get("bind-recursive") ?? "enabled";
  if (recursion === "enabled" || recursion === "readonly") return true;
  if (recursion === "disabled") return false;
  throw invalidArgument(
    `bind-recursive=${recursion} is ${recursion === "writable" ? "not supported yet" : "not known"}`,
    word,
  );
}

function readTmpfs(fields: Map<string, string>, { target, readOnly, word }: Place): MountRequest {
  if (fields.has("source")) throw invalidArgument("a tmpfs has no source", word);
  const size = fields.get("tmpfs-size");
  const mode = fields.get("tmpfs-mode");
  return {
    kind: "tmpfs",
    ...NO_OPTIONS,
    target,
    readOnly,
    // Here, 0 is no size given, as in docker; in --tmpfs, whose words are the kernel's, it is no limit.
    size: size === undefined ? null : readSize(size, word) || null,
    mode: mode === undefined ? null : readMode(mode, word),
  };
}

/** The fields of a `--mount`, under one name each. */
function readFields(text: string, word: FlagWord): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of splitFields(text, word)) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    if (/^volume-|^image-/.test(key)) throw invalidArgument(`${key} is not supported yet`, word);
    if (!MOUNT_KEYS.split(" ").includes(key)) {
      throw invalidArgument(`"${key}" is not known${didYouMean(key, MOUNT_KEYS.split(" "))}`, word);
    }
    const name = key === "src" ? "source" : key === "dst" || key === "destination" ? "target" : key;
    const value = equals < 0 ? undefined : field.slice(equals + 1);
    const isSwitch = name === "readonly" || name === "ro" || name === "bind-nonrecursive";
    if (value === undefined && !isSwitch) throw invalidArgument(`"${key}" needs a value`, word);
    fields.set(name === "ro" ? "readonly" : name, value ?? "true");
  }
  return fields;
}

/** Fields as in a line of CSV (RFC 4180): one in quotes may hold commas, and quotes doubled. */
function splitFields(text: string, word: FlagWord): string[] {
  if (!text.includes('"')) return text.split(",");
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const found = field.exec(text);
    if (found === null) throw invalidArgument("a quote is out of place", word);
    fields.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? "");
    if (found[3] === "") return fields;
  }
}

function readSwitch(value: string | undefined, word: FlagWord): boolean {
  if (value === undefined || value === "false" || value === "0") return false;
  if (value === "true" || value === "1") return true;
  throw invalidArgument(`"${value}" is neither true nor false`, word);
}
