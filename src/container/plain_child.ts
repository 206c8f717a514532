/** The child of a plain container: the program that was assembled at build time, if it fits, filled in. */
import { type Child, spawnNative } from "../../ffi/clone.ts";
import { type CallNote, notesOf, type ProgramImage } from "../../ffi/image.ts";
import { MACHINE } from "../../ffi/syscalls.ts";
import { mapImage, type NativeProgram, programsAreObserved } from "../../ffi/native.ts";
import { holdsCapabilities } from "../kernel/privileges.ts";
import { DEFAULT_CAPABILITIES } from "../kernel/capabilities.ts";
import { environmentOf, executablePaths } from "./environment.ts";
import type { PreparedChild, ReadyContainer } from "./child.ts";
import type { NameFiles } from "./name_files.ts";
import { PLAIN_ATTEMPTS, PLAIN_FILES, PLAIN_LIMITS } from "./plain_shape.ts";
import type { FileSpec } from "./prepare_files.ts";
import type { RunRequest } from "./request.ts";
import type { RootInputs } from "./root_plan.ts";
import type { SpecMount } from "./spec.ts";
import type { StreamSource } from "./start_plan.ts";
import type { UndoStack } from "../undo.ts";

/** What a container must be for its child to be a plain one, beyond the request. */
export interface PlainSetting {
  readonly names: NameFiles;
  /** Version 2's control group, where that is the only one that the child is to be in. */
  readonly birthplace: number | undefined;
  /** The hard limit of open files; null where there is none. */
  readonly openFiles: number | null;
}

/**
 * Whether the plain program does for this container what its own plan would do. No new shape of a container is
 * served by mistake: whatever is not listed here must be as {@link PLAIN_REQUEST} has it.
 */
export function isPlain(request: RunRequest, { names, birthplace, openFiles }: PlainSetting): boolean {
  const { network: { mode } } = request;
  return request.rootfs.kind === "busybox" && !request.tty && request.workdir === null && request.user === null &&
    request.groupAdd.length === 0 && !request.readOnly && request.mounts.length === 0 &&
    request.capAdd.length === 0 && request.capDrop.length === 0 && !request.privileged &&
    !request.noNewPrivileges && !request.init && request.ulimits.length === 0 && request.sysctls.size === 0 &&
    request.shmSize === null && (mode.kind === "bridge" || mode.kind === "ptp" || mode.kind === "none") &&
    names.files.size === PLAIN_FILES.length && birthplace !== undefined &&
    openFiles !== null && openFiles >= PLAIN_LIMITS.openFiles && !programsAreObserved() &&
    holdsCapabilities(DEFAULT_CAPABILITIES);
}

/** What {@link prepareFiles} prepares for a plain container: the files made for it, and no other mount. */
export function plainFiles({ files }: NameFiles): FileSpec {
  const mounts: SpecMount[] = [];
  for (const [destination, source] of files) {
    mounts.push({ destination, type: "bind", source, options: ["bind", "private", "nodev"] });
  }
  return { mounts, process: { cwd: "/" } };
}

/** What differs from one plain container to the next. */
interface PlainInputs {
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly hostname: string;
  readonly root: RootInputs & { readonly kind: "overlay" };
  /** By destination: the files made for it, and the devices. */
  readonly trees: ReadonlyMap<string, number>;
  readonly network: number;
  readonly streams: readonly [StreamSource, StreamSource, StreamSource];
  readonly cgroup: number;
  readonly openFiles: number;
}

/** The environment of a plain container's command. */
function plainEnvironment({ environment }: RunRequest, hostname: string): string[] {
  return environmentOf({ asked: environment, hostname, terminal: false, home: "/root" });
}

/** Maps the program and fills in what is known; `undefined` where it cannot be had, or something does not fit in. */
function fillPlain(image: ProgramImage, inputs: PlainInputs): NativeProgram | undefined {
  const { command, environment, hostname, root, streams } = inputs;
  const paths = executablePaths(command[0] as string, environment); // a request's command is never empty
  if (paths.length > PLAIN_ATTEMPTS) return undefined;
  for (const text of [...paths, hostname, root.lower, root.upper, root.work]) {
    if (text.length * 3 >= PLAIN_LIMITS.text) return undefined;
  }
  if (vectorBytes(command) + vectorBytes(environment) > PLAIN_LIMITS.vectors) return undefined;
  if (streams.some((from, to) => from !== "null" && from < 3 && from !== to)) return undefined;
  const program = mapImage(image);
  if (!program) return undefined;
  for (const [path, tree] of inputs.trees) program.set(`tree ${path}`, tree);
  program.set("network", inputs.network);
  program.set("cgroup", inputs.cgroup);
  program.set("open files", inputs.openFiles);
  program.set("standard input", streamNumber(streams[0]));
  program.set("standard output", streamNumber(streams[1]));
  program.set("standard error", streamNumber(streams[2]));
  program.set("hostname length", hostname.length);
  program.setText("hostname", hostname);
  program.setText("lower", root.lower);
  program.setText("upper", root.upper);
  program.setText("work", root.work);
  for (let index = 0; index < PLAIN_ATTEMPTS; index++) {
    program.setText(`path ${index}`, paths[Math.min(index, paths.length - 1)] as string);
  }
  program.setVectors("vectors", { argv: command, envp: environment });
  return program;
}

/** -1, which is no descriptor, has the program take the null device. */
const streamNumber = (source: StreamSource): number => source === "null" ? -1 : source;

/** At most so many bytes of pointers and strings. */
function vectorBytes(texts: readonly string[]): number {
  let bytes = 16;
  for (const text of texts) bytes += 9 + text.length * 3;
  return bytes;
}

/** Clones the child of a filled-in program. */
function spawnPlain(
  program: NativeProgram,
  { go, parentOnly }: { go: number; parentOnly: readonly [number, number] },
): Child {
  program.set("go", go);
  program.set("parent only 0", parentOnly[0]);
  program.set("parent only 1", parentOnly[1]);
  return spawnNative((status) => {
    const [first, last] = go < status ? [go, status] : [status, go];
    program.set("before go", first - 1);
    // Nothing between the two: then a range behind both is closed twice, for one that is upside down is refused.
    const between = last - first > 1;
    program.set("after go", between ? first + 1 : last + 1);
    program.set("before status", between ? last - 1 : last + 1);
    program.set("after status", last + 1);
    return { native: program };
  });
}

/** What the plain program's calls do: for an error, and so planned only then. */
async function plainNotes(): Promise<readonly CallNote[]> {
  const { plainProgram } = await import("./plain_plan.ts");
  return notesOf(plainProgram(MACHINE));
}

/** A child whose program was assembled at build time; undefined where it does not fit after all. */
export async function plainChild(
  { request, hostname, network, files, stdio, openFiles, birthplace }: ReadyContainer,
  undo: UndoStack,
): Promise<PreparedChild | undefined> {
  const { root, trees, late } = files.inputs;
  if (late.size > 0) return undefined; // an old kernel
  if (root.kind !== "overlay" || root.memory !== null || !network || !birthplace || openFiles === null) {
    return undefined;
  }
  const { plainChildImage } = await import("#programs");
  const environment = plainEnvironment(request, hostname);
  const program = fillPlain(plainChildImage, {
    command: request.command,
    environment,
    hostname,
    root,
    trees,
    network: network.fd,
    streams: stdio.child,
    cgroup: birthplace.fd,
    openFiles,
  });
  if (!program) return undefined;
  undo.use(program);
  return {
    spawn: (go, parentOnly) => spawnPlain(program, { go, parentOnly }),
    process: { args: request.command, env: environment, cwd: "/" },
    notes: plainNotes,
  };
}
