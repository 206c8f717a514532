/**
 * A foreground container from request to exit code: the named steps of a start, each leaving its undo.
 *
 *   parent                                        child
 *   record, lease, namespace, links
 *   files, mounts, terminal, control group
 *   clone ─────────────────────────────────────▶  its plan (plan.ts)
 *   pid into the record, link settled ── go ───▶  execve
 *   status pipe's end of file ◀─────────────────
 *   supervise … exit
 *   everything undone, the record last
 *
 * Before the go, the death of this process is the child's; after it the record names the pid, and the next command
 * ends what is left. So nothing outlives us that nobody knows of.
 */
import type { Child } from "../../ffi/clone.ts";
import type { ProgramFailure } from "../../ffi/native.ts";
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import { Descriptor } from "../kernel/descriptor.ts";
import { pathStatus } from "../kernel/file_status.ts";
import { processStartTime } from "../kernel/pidfd.ts";
import { pipe } from "../kernel/pipes.ts";
import { type Exit, exitCode } from "../kernel/process.ts";
import { attachContainer, type Attachment } from "../network/attach.ts";
import { createRecord, type HeldRecord } from "../store/containers.ts";
import type { Paths } from "../store/paths.ts";
import { clearDead } from "./dead.ts";
import type { RunRequest } from "./request.ts";
import { checkStreams } from "./stdio.ts";
import { catchForwardedSignals, supervise, type Supervised } from "./supervise.ts";
import { UndoStack } from "../undo.ts";
import { prepareContainer, type PreparedContainer } from "./prepare.ts";
import type { StartListeners, StartOptions } from "./start_options.ts";

/** Runs a container in the foreground and returns its exit code. Throws, after undoing everything, where it cannot start. */
export async function runContainer(request: RunRequest, options: StartOptions): Promise<number> {
  const { paths } = options;
  checkStreams(request);
  if (!pathStatus(paths.containers)) await checkFirst(request, options);
  const signals = await catchForwardedSignals(); // to the end: what comes after it belongs to no container
  await clearDead(paths, options.warn); // before anything new is claimed
  using record = claimRecord(request, paths);
  const undo = new UndoStack();
  let undone = true;
  // What cannot be undone stays on record: the next command finds it dead, and tries again.
  using _all = { [Symbol.dispose]: () => (undo.dispose(), undone && record.remove()) };
  try {
    return await runRecorded(request, { ...options, record, undo, signals });
  } catch (error) {
    undone = !(error instanceof SuppressedError); // an undo has failed as well, somewhere below
    throw error;
  }
}

interface RecordedContext extends StartOptions {
  readonly record: HeldRecord;
  readonly undo: UndoStack;
  readonly signals: Supervised["signals"];
}

async function runRecorded(request: RunRequest, { record, undo, signals, ...options }: RecordedContext) {
  const { paths } = options;
  const listeners = options.listeners(record.record);
  undo.defer(() => listeners.finish());
  const attachment = await attachContainer({ paths, record, options: request.network, listener: listeners.network });
  undo.defer(() => attachment.release());
  const prepared = await prepareContainer(request, { ...options, listeners, record, attachment, undo });
  const container = await startChild({ listeners, record, attachment, ...prepared });
  undo.use(container.pidfd);
  attachment.started();
  listeners.finish();
  for (const notice of attachment.notices) options.notify(notice);
  if (request.lectureVerbose) describeLink(attachment, options);
  const { stdio, services } = prepared;
  return exitCode(superviseToTheEnd({ pidfd: container.pidfd.fd, stdio, signals, services }));
}

/** A supervisor that fails takes the container with it, before the files that this stands on are removed. */
function superviseToTheEnd(supervised: Supervised): Exit {
  try {
    return supervise(supervised);
  } catch (error) {
    reap(supervised.pidfd);
    throw error;
  }
}

async function checkFirst(request: RunRequest, options: StartOptions): Promise<void> {
  const { checkFirstStart } = await import("./dry_run.ts");
  await checkFirstStart(request, options);
}

function claimRecord(request: RunRequest, paths: Paths): HeldRecord {
  const id = newId();
  return createRecord(paths, {
    id,
    name: request.name ?? id.slice(0, 12),
    created: Date.now() / 1000,
    command: request.command,
    rootfs: request.rootfs.kind === "directory" ? request.rootfs.path : "busybox",
    labels: request.labels.size === 0 ? {} : Object.fromEntries(request.labels),
    networkMode: request.network.mode.kind,
    process: null,
    attachment: null,
    ownNetworkParameters: hasNetworkParameters(request),
    directory: null,
  });
}

function hasNetworkParameters({ sysctls }: RunRequest): boolean {
  for (const name of sysctls.keys()) if (name.startsWith("net.")) return true;
  return false;
}

/** 32 random bytes in hexadecimal, as docker's ids. */
function newId(): string {
  const bytes = new Uint8Array(32);
  check(syscall("getrandom", addressOf(bytes), bytes.length, 0), { operation: "choose", subject: "an id" });
  return bytes.toHex();
}

interface StartContext extends PreparedContainer {
  readonly listeners: StartListeners;
  readonly record: HeldRecord;
  readonly attachment: Attachment;
}

/** Clones the child, records it, lets it go, and waits until it has become the command. */
async function startChild(context: StartContext): Promise<{ pidfd: Descriptor }> {
  const { record, attachment, stdio, forChild } = context;
  const go = pipe();
  using goWrite = go.write;
  using child = context.spawn(go.read.fd, [goWrite.fd, record.fd]);
  using failed = new UndoStack();
  const pidfd = failed.use(new Descriptor(child.pidfd));
  failed.defer(() => reap(pidfd.fd)); // first of all: whoever waits for its end of file would wait for ever
  go.read.close();
  forChild.dispose();
  stdio.childStarted();
  // From here on the child is known: whoever finds this process dead finds it by its pid.
  record.update({ process: { pid: child.pid, startTime: processStartTime(child.pid) ?? 0 } });
  attachment.settle();
  const going = syscall("write", goWrite.fd, addressOf(GO), 1);
  // A child that has died meanwhile reads nothing any more, and has told why.
  if (going !== -EPIPE) check(going, { operation: "let go", subject: "the container" });
  const failure = child.awaitExec();
  if (failure) throw await explainFailure(failure, child, context);
  failed.move();
  return { pidfd };
}

async function explainFailure(failure: ProgramFailure, { outcome }: Child, { process, notes }: StartContext) {
  const { childError } = await import("./exec_failure.ts");
  const call = notes ? (await notes())[failure.index] ?? failure.call : failure.call;
  return childError({ ...failure, call }, { outcome, process });
}

const GO = new Uint8Array(1);
const EPIPE = 32;
const SIGKILL = 9;

function reap(pidfd: number): void {
  syscall("pidfd_send_signal", pidfd, SIGKILL, 0, 0);
  syscall("waitid", 3, pidfd, 0, 4, 0); // P_PIDFD, WEXITED: a zombie would keep the namespaces
}

/** What the lecture's program prints. */
function describeLink({ record }: Attachment, { notify }: StartOptions): void {
  if (record) notify(`link ${record.hostLink}, address ${record.ip}/${record.prefix}, gateway ${record.gateway}`);
}
