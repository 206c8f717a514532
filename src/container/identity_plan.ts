/** What a container is called and belongs to: session, control group, namespaces, host name, sysctls. Pure. */
import type { Item } from "../../ffi/program.ts";
import { CLONE_NEWCGROUP, CLONE_NEWNET } from "../kernel/namespace_flags.ts";
import { O_CLOEXEC, O_WRONLY } from "../kernel/open_flags.ts";
import type { NetworkMode } from "../network/options.ts";
import { call, type ContainerStep, shellWord } from "./container_step.ts";
import { mountAt } from "./mount_plan.ts";

// include/uapi/linux/prctl.h, include/uapi/linux/keyctl.h
const PR_SET_NAME = 15;
const KEYCTL_JOIN_SESSION_KEYRING = 1;

/** Names this process, so that `ps` shows where a start hangs: at most 15 bytes. */
export function renameTo(name: string): Item {
  return call("prctl", [PR_SET_NAME, { text: name }], { operation: "rename", subject: "the child" });
}

/** A session without a controlling terminal, and a session keyring without the caller's keys. */
export function planSession(parentOnly: readonly number[]): ContainerStep[] {
  const closing = parentOnly.map((fd) => {
    return call("close", [fd], { operation: "close", subject: `descriptor ${fd}` });
  });
  const keyring = { operation: "join", subject: "a new session keyring" };
  return [
    {
      group: "session",
      command: "setsid",
      items: [...closing, call("setsid", [], { operation: "begin", subject: "a session" })],
    },
    {
      group: "session",
      command: "keyctl new_session",
      // Without keys in the kernel, or with the quota of keys used up, there is nothing to join and nothing to hide.
      items: [
        call("keyctl", [KEYCTL_JOIN_SESSION_KEYRING, 0], { tolerate: ["ENOSYS", "EDQUOT", "EPERM"], ...keyring }),
      ],
    },
  ];
}

/** A file to which "0" is written to join a control group; null where clone3 has the child born in that group. */
export interface CgroupFile {
  readonly path: string;
  readonly fd: number | null;
}

/** Joins the control groups, and only then takes a cgroup namespace: it is rooted where its maker stands. */
export function planCgroup(files: readonly CgroupFile[], { namespace }: { namespace: boolean }): ContainerStep[] {
  const steps = files.map(({ path, fd }): ContainerStep => ({
    group: "cgroup",
    command: `echo 0 > ${shellWord(path)}`,
    items: fd === null
      ? []
      : [call("write", [fd, { text: "0" }, 1], { operation: "join the control group of", subject: path, expect: 1 })],
  }));
  if (namespace) {
    steps.push({
      group: "cgroup",
      command: "unshare --cgroup",
      items: [call("unshare", [CLONE_NEWCGROUP], { operation: "make", subject: "a cgroup namespace" })],
    });
  }
  return steps;
}

/** Where ip-netns(8) would have the namespace of a container of that name, which for skdocker itself is a descriptor. */
export function namespacePath(mode: NetworkMode, name: string): string {
  return mode.kind === "ns" ? mode.path : `/run/netns/${mode.kind === "container" ? mode.container : name}`;
}

/** Joins the network namespace that the parent has made and configured. */
export function planNetwork(fd: number, name: string): ContainerStep {
  return {
    group: "network",
    command: `nsenter --net=${shellWord(name)}`,
    items: [call("setns", [fd, CLONE_NEWNET], { operation: "join", subject: "the network namespace" })],
  };
}

/** The host name, in the container's own UTS namespace. */
export function planHostname(hostname: string): ContainerStep {
  const length = Buffer.byteLength(hostname);
  return {
    group: "identity",
    command: `hostname ${shellWord(hostname)}`,
    items: [
      call("sethostname", [{ text: hostname }, length], { operation: "set the host name to", subject: hostname }),
    ],
  };
}

/**
 * Sysctls, through the /proc that was just mounted and before it becomes read-only; each is the namespaces' own. As in
 * sysctl(8), a "/" in a name stands for a dot of a link's name.
 */
export function planSysctls(sysctls: Readonly<Record<string, string>>): ContainerStep[] {
  return Object.entries(sysctls).map(([name, value]): ContainerStep => {
    const notes = { operation: "set", subject: `${name}=${value}` };
    const path = `sys/${name.split(".").map((part) => part.replaceAll("/", ".")).join("/")}`;
    const length = Buffer.byteLength(value);
    return {
      group: "sysctls",
      command: `sysctl -w ${shellWord(`${name}=${value}`)}`,
      items: [
        call("openat", [mountAt("/proc"), { text: path }, O_WRONLY | O_CLOEXEC], { as: `sysctl ${name}`, ...notes }),
        call("write", [{ result: `sysctl ${name}` }, { text: value }, length], { expect: length, ...notes }),
      ],
    };
  });
}
