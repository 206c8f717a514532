/** The flags and words of `run` → a {@link RunRequest}. */
import {
  checkRequest,
  type Explanation,
  type MountRequest,
  type RootfsRequest,
  type RunRequest,
} from "../container/request.ts";
import { UserError } from "../user_error.ts";
import type { Values } from "./command.ts";
import type { RUN_FLAGS } from "./run_flags.ts";
import { parseBoolean } from "./words/boolean.ts";
import { parseCapability } from "./words/capabilities.ts";
import { addVariable, addVariablesOf, type CallerEnvironment, type Variables } from "./words/environment.ts";
import { parseEach } from "./words/each.ts";
import { invalidArgument } from "./words/invalid.ts";
import { addSysctl, parseCpus, parseMemory, parsePidsLimit, parseShmSize, parseUlimit } from "./words/limits.ts";
import { parseMount, parseTmpfs, parseVolume } from "./words/mounts.ts";
import { addLabel, parseContainerName, parseGroup, parseHostname, parseUser } from "./words/names.ts";
import { parseNetworkFlags } from "./words/network.ts";
import { absolutePath, containerPath } from "./words/path.ts";
import { type IsDirectory, rootfsFromWord } from "./words/rootfs.ts";

export type RunValues = Values<typeof RUN_FLAGS>;

/** What of the caller's surroundings a request may depend on. */
export interface Surroundings {
  /** Asked only where a flag needs it: the engine builds `process.env` at its first use. */
  readonly environment: () => CallerEnvironment;
  readonly isDirectory: IsDirectory;
}

/** Makes the request. Throws a {@link UserError} for the first thing that is wrong; nothing has been touched then. */
export function requestFromFlags(
  values: RunValues,
  positionals: readonly string[],
  surroundings: Surroundings,
): RunRequest {
  const { rootfs, words } = readRootfs(values, positionals, surroundings);
  const labels = new Map<string, string>();
  for (const text of values.label ?? []) addLabel(labels, text);
  const sysctls = new Map<string, string>();
  for (const text of values.sysctl ?? []) addSysctl(sysctls, text);
  const request: RunRequest = {
    rootfs,
    command: readCommand(words, rootfs, values.entrypoint),
    name: values.name === undefined || values.name === "" ? null : parseContainerName(values.name),
    autoRemove: values.rm ?? false,
    interactive: values.interactive ?? false,
    tty: values.tty ?? false,
    environment: readEnvironment(values, surroundings),
    workdir: values.workdir === undefined || values.workdir === "" ? null : readWorkdir(values.workdir),
    user: values.user === undefined || values.user === "" ? null : parseUser(values.user),
    groupAdd: parseEach(values["group-add"], parseGroup),
    hostname: values.hostname === undefined || values.hostname === "" ? null : parseHostname(values.hostname),
    readOnly: values["read-only"] ?? false,
    mounts: readMounts(values),
    labels,
    capAdd: parseEach(values["cap-add"], (text) => parseCapability(text, "--cap-add")),
    capDrop: parseEach(values["cap-drop"], (text) => parseCapability(text, "--cap-drop")),
    privileged: values.privileged ?? false,
    noNewPrivileges: values["security-opt"] !== undefined && readSecurityOptions(values["security-opt"]),
    init: values.init ?? false,
    ulimits: values.ulimit === undefined ? [] : readUlimits(values.ulimit),
    sysctls,
    shmSize: values["shm-size"] === undefined ? null : parseShmSize(values["shm-size"]),
    memory: values.memory === undefined ? null : parseMemory(values.memory),
    cpus: values.cpus === undefined ? null : parseCpus(values.cpus),
    pidsLimit: parsePidsLimit(values["pids-limit"] ?? 0),
    network: parseNetworkFlags(values),
    explain: readExplanation(values),
    lectureVerbose: false,
  };
  checkRequest(request);
  return request;
}

function readRootfs(
  values: RunValues,
  positionals: readonly string[],
  { isDirectory }: Surroundings,
): { rootfs: RootfsRequest; words: readonly string[] } {
  if (values.rootfs !== undefined) {
    if (values.rootfs === "") throw invalidArgument("not a directory", { flag: "--rootfs", text: "" });
    return { rootfs: { kind: "directory", path: absolutePath(values.rootfs) }, words: positionals };
  }
  const [word] = positionals;
  if (word === undefined) throw new UserError("what to run is missing, write busybox or a directory after the flags");
  return { rootfs: rootfsFromWord(word, isDirectory), words: positionals.slice(1) };
}

/** The entry point goes first; one that was given, even an empty one, takes the default command away. */
function readCommand(words: readonly string[], rootfs: RootfsRequest, entrypoint: string | undefined): string[] {
  if (entrypoint !== undefined && entrypoint !== "") return [entrypoint, ...words];
  if (words.length > 0) {
    if (words[0] === "") throw new UserError("the command is an empty word", { exitCode: 127 });
    return [...words];
  }
  if (rootfs.kind === "busybox" && entrypoint === undefined) return ["sh"];
  const why = rootfs.kind === "busybox" ? "--entrypoint takes the default one away" : "a directory has no default one";
  throw new UserError(`no command was given, and ${why}`);
}

function readEnvironment(values: RunValues, surroundings: Surroundings): Variables {
  const environment: Variables = new Map();
  if (values.env === undefined && values["env-file"] === undefined) return environment;
  const caller = surroundings.environment();
  for (const path of values["env-file"] ?? []) addVariablesOf(environment, path, caller);
  for (const text of values.env ?? []) addVariable(environment, text, caller);
  return environment;
}

function readWorkdir(text: string): string {
  const path = containerPath(text);
  if (path === undefined) throw invalidArgument("not an absolute path", { flag: "--workdir", text });
  return path;
}

/** Of the same words twice, and of two tmpfs in one place, the last holds, as in docker. */
function readMounts({ volume, mount, tmpfs }: RunValues): MountRequest[] {
  if (!volume && !mount && !tmpfs) return []; // functions of lists are compiled at their first call
  const binds = parseEach(volume && [...new Set(volume)], parseVolume);
  const memory = new Map(parseEach(tmpfs, parseTmpfs).map((asked) => [asked.target, asked]));
  return [...binds, ...parseEach(mount, parseMount), ...memory.values()];
}

/** A limit given twice holds as given last. */
function readUlimits(words: readonly string[]) {
  const limits = words.map(parseUlimit);
  return limits.filter(({ name }, i) => !limits.slice(i + 1).some((later) => later.name === name));
}

function readSecurityOptions(words: readonly string[]): boolean {
  let noNewPrivileges = false;
  for (const text of words) {
    const match = /^no-new-privileges(?:[=:](.*))?$/.exec(text);
    if (match !== null) {
      noNewPrivileges = parseBoolean(match[1] ?? "true", { flag: "--security-opt", text });
      continue;
    }
    const docker = /^(apparmor|label|seccomp|systempaths|writable-cgroups|credentialspec)([=:]|$)/.exec(text);
    const reason = docker === null ? "only no-new-privileges is known" : `${docker[1]} is not supported yet`;
    throw invalidArgument(reason, { flag: "--security-opt", text });
  }
  return noNewPrivileges;
}

function readExplanation(values: RunValues): Explanation {
  if (values["dry-run"]) return "dry-run";
  return values.explain ? "yes" : "no";
}
