/**
 * What the first process may do: limits, groups, user, capabilities, the seccomp filter. Pure.
 *
 * The order is the whole point. The bounding set goes down while CAP_SETPCAP is there. The filter is loaded while
 * CAP_SYS_ADMIN is there, unless no_new_privs makes that needless; then it is loaded last, so that it covers the
 * least of our own calls. Groups go before the user, who could not change them.
 */
import type { Item } from "../../ffi/program.ts";
import {
  type Capability,
  capabilityNames,
  capabilityNumber,
  type CapabilitySet,
  capabilitySet,
  encodeCapabilitySets,
} from "../kernel/capabilities.ts";
import { type ResourceName, resourceNumber } from "../kernel/resource_limits.ts";
import { call, type ContainerStep } from "./container_step.ts";
import type { SpecCapabilities, SpecProcess, SpecRlimit } from "./spec.ts";

// include/uapi/linux/prctl.h
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const PR_SET_PDEATHSIG = 1;

const SECCOMP_SET_MODE_FILTER = 1; // include/uapi/linux/seccomp.h
const SIGKILL = 9;
const BPF_INSTRUCTION_SIZE = 8;

/** What of the host the privileges depend on. */
export interface PrivilegeInputs {
  /** This process's own bounding set. */
  readonly boundingSet: CapabilitySet;
  /** The assembled filter; null for none. */
  readonly filter: Uint8Array | null;
}

/** The steps from root with everything to the container's user with what is granted. */
export function planPrivileges(process: SpecProcess, { boundingSet, filter }: PrivilegeInputs): ContainerStep[] {
  const { capabilities, noNewPrivileges, rlimits, user } = process;
  const load = filter ? [planFilter(filter)] : [];
  return [
    ...rlimits.map(planRlimit),
    ...planBoundingSet(capabilities, boundingSet),
    ...(noNewPrivileges ? [] : load),
    planUser(user),
    planCapabilities(capabilities),
    ...(noNewPrivileges ? [planNoNewPrivileges(), ...load] : []),
    planParentDeath(),
  ];
}

function planRlimit({ type, soft, hard }: SpecRlimit): ContainerStep {
  const name = type.slice("RLIMIT_".length).toLowerCase() as ResourceName;
  // struct rlimit64; -1 is RLIM64_INFINITY, all bits set.
  const limit = { words: [soft, hard] };
  const shown = (value: number) => value < 0 ? "unlimited" : String(value);
  return {
    group: "privileges",
    command: `prlimit --${name}=${shown(soft)}:${shown(hard)}`,
    items: [
      call("prlimit64", [0, resourceNumber(name), limit, 0], {
        operation: "set the limit",
        subject: `${name}=${shown(soft)}:${shown(hard)}`,
      }),
    ],
  };
}

function setOf(names: readonly `CAP_${string}`[]): CapabilitySet {
  return capabilitySet(names.map((name) => name.slice("CAP_".length) as Capability));
}

function planBoundingSet({ bounding }: SpecCapabilities, boundingSet: CapabilitySet): ContainerStep[] {
  const dropped = boundingSet & ~setOf(bounding);
  const items: Item[] = [];
  const names = capabilityNames(dropped);
  for (const name of names) {
    // A name that is a number is a capability newer than this program.
    const number = /^[0-9]+$/.test(name) ? Number(name) : capabilityNumber(name as Capability);
    items.push(call("prctl", [PR_CAPBSET_DROP, number], { operation: "drop", subject: `CAP_${name}` }));
  }
  if (items.length === 0) return [];
  const words = names.map((name) => `-${name.toLowerCase()}`).join(",");
  return [{ group: "privileges", command: `setpriv --bounding-set ${words}`, items }];
}

function planFilter(filter: Uint8Array): ContainerStep {
  // struct sock_fprog: a 16-bit count in the first word, then the address.
  const program = { words: [filter.length / BPF_INSTRUCTION_SIZE, { bytes: filter }] };
  const notes = { operation: "load", subject: "the seccomp filter" };
  return {
    group: "privileges",
    command: "seccomp: load the built-in filter",
    items: [call("seccomp", [SECCOMP_SET_MODE_FILTER, 0, program], notes)],
  };
}

function planUser({ uid, gid, additionalGids }: SpecProcess["user"]): ContainerStep {
  const groups = { bytes: new Uint8Array(Uint32Array.from(additionalGids).buffer) };
  const named = additionalGids.length > 0 ? `--groups ${additionalGids.join(",")}` : "--clear-groups";
  const notes = (what: string, id: number) => ({ operation: `change the ${what} to`, subject: String(id) });
  return {
    group: "privileges",
    command: `setpriv --reuid ${uid} --regid ${gid} ${named}`,
    items: [
      call("setgroups", [additionalGids.length, additionalGids.length > 0 ? groups : 0], {
        operation: "set",
        subject: "the supplementary groups",
      }),
      call("setresgid", [gid, gid, gid], notes("group", gid)),
      call("setresuid", [uid, uid, uid], notes("user", uid)),
    ],
  };
}

function planCapabilities({ effective, permitted }: SpecCapabilities): ContainerStep {
  const sets = { effective: setOf(effective), permitted: setOf(permitted), inheritable: 0n };
  const { header, data } = encodeCapabilitySets(sets);
  const notes = { operation: "set", subject: "the capabilities" };
  return {
    group: "privileges",
    command: `capsh --caps=${capsText(permitted)}`,
    items: [
      call("prctl", [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0], notes),
      call("capset", [{ bytes: header }, { bytes: data }], notes),
    ],
  };
}

function capsText(names: readonly string[]): string {
  return names.length === 0 ? "=" : `${names.map((name) => name.toLowerCase()).join(",")}=ep`;
}

function planNoNewPrivileges(): ContainerStep {
  const notes = { operation: "set", subject: "no_new_privs" };
  return {
    group: "privileges",
    command: "setpriv --no-new-privs",
    items: [call("prctl", [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0], notes)],
  };
}

/** After the last change of credentials, which would clear it. Best effort: a set-uid command clears it, too. */
function planParentDeath(): ContainerStep {
  const notes = { operation: "ask for SIGKILL at", subject: "the parent's death" };
  return {
    group: "privileges",
    command: "setpriv --pdeathsig KILL",
    items: [call("prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0], notes)],
  };
}
