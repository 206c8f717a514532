/**
 * Leases: who has which address. One symbolic link per lease, RUN/networks/NET/leases/IP → container id.
 *
 * A link is made whole or not at all and never over another, so no address is given twice, whoever crashes when.
 * Addresses are given in order, beginning behind the last one, so that one is not used again at once; the state
 * lock keeps the search and the cursor together.
 */
import { isKernelError } from "../../ffi/errno.ts";
import {
  contains,
  firstAddress,
  formatIpv4,
  type Ipv4,
  ipv4FromNumber,
  type Ipv4Network,
  lastAddress,
  parseIpv4,
} from "../kernel/ipv4.ts";
import { listDirectory } from "../kernel/directories.ts";
import { removeFile } from "../kernel/files.ts";
import { readRecord } from "../store/containers.ts";
import { linkBeside, makeLink, readLink, replaceLink } from "../store/links.ts";
import { takeLock } from "../store/lock.ts";
import type { Paths } from "../store/paths.ts";
import { UserError } from "../user_error.ts";
import { UndoStack } from "../undo.ts";

/** A network's range of addresses, as leases are taken from it. */
export interface LeasePool {
  readonly network: string;
  readonly subnet: Ipv4Network;
  /** The host's own address in it. */
  readonly gateway: Ipv4;
}

/** What is asked for. */
export interface LeaseRequest {
  /** The container that shall have it. */
  readonly owner: string;
  /** `--ip`, or null for any. */
  readonly wanted: Ipv4 | null;
  /** What the container's name had before: given if it is free. */
  readonly former: Ipv4 | null;
}

/** Takes a lease. Throws a {@link UserError} where the wanted address cannot be had or the range is full. */
export function takeLease(paths: Paths, pool: LeasePool, request: LeaseRequest): Ipv4 {
  using _lock = takeLock(paths.stateLock, "exclusive");
  const leases = new LeaseDirectory(paths, pool.network);
  if (request.wanted !== null) return takeWanted(leases, pool, { ...request, wanted: request.wanted });
  if (request.former !== null && isUsable(pool, request.former) && leases.take(request.former, request.owner)) {
    return request.former;
  }
  return takeNext(leases, pool, request.owner);
}

/** The address the next container without wishes would get; takes nothing. */
export function nextAddress(paths: Paths, pool: LeasePool, { wanted, former }: Omit<LeaseRequest, "owner">): Ipv4 {
  const leases = new LeaseDirectory(paths, pool.network);
  if (wanted !== null) {
    checkWanted(pool, wanted);
    if (!leases.isFree(wanted)) throw addressTaken(leases, pool, wanted);
    return wanted;
  }
  if (former !== null && isUsable(pool, former) && leases.isFree(former)) return former;
  return firstCandidate(pool, leases.cursor(), (address) => leases.isFree(address));
}

/** Gives a lease back; one that somebody else has by now stays. */
export function releaseLease(
  paths: Paths,
  { network, owner, address }: { network: string; owner: string; address: Ipv4 },
) {
  using _lock = takeLock(paths.stateLock, "exclusive");
  const path = paths.lease(network, formatIpv4(address));
  if (readLink(path) === owner) removeFile(path);
}

/** The leases of a network: address → container id. */
function listLeases(paths: Paths, network: string): Map<string, string> {
  const leases = new Map<string, string>();
  for (const ip of leaseNames(paths, network)) {
    const owner = readLink(paths.lease(network, ip));
    if (owner !== undefined) leases.set(ip, owner);
  }
  return leases;
}

function leaseNames(paths: Paths, network: string): string[] {
  try {
    return listDirectory(paths.leases(network));
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return []; // none has been given yet
    throw error;
  }
}

/** Gives back every lease of owners that have no record any more, which a killed process left. */
export function releaseLeasesOf(paths: Paths, network: string, owner: string): void {
  using _lock = takeLock(paths.stateLock, "exclusive");
  for (const [ip, holder] of listLeases(paths, network)) {
    if (holder === owner) removeFile(paths.lease(network, ip));
  }
  removeFile(linkBeside(paths.leaseCursor(network))); // of whoever was killed while moving it: we hold its lock
}

class LeaseDirectory {
  readonly #paths: Paths;
  readonly #network: string;

  constructor(paths: Paths, network: string) {
    this.#paths = paths;
    this.#network = network;
  }

  owner(address: Ipv4): string | undefined {
    return readLink(this.#path(address));
  }

  /** A lease whose owner has no record was left between the two by a crash. */
  isFree(address: Ipv4): boolean {
    const owner = this.owner(address);
    return owner === undefined || readRecord(this.#paths, owner) === undefined;
  }

  take(address: Ipv4, owner: string): boolean {
    const path = this.#path(address);
    if (makeLink(path, owner)) return true;
    if (!this.isFree(address)) return false;
    removeFile(path);
    return makeLink(path, owner);
  }

  giveBack(address: Ipv4): void {
    removeFile(this.#path(address));
  }

  /** The address given last; a link like the leases, so that it, too, is replaced whole. */
  cursor(): Ipv4 | undefined {
    const text = readLink(this.#paths.leaseCursor(this.#network));
    return text === undefined ? undefined : parseIpv4(text);
  }

  moveCursor(address: Ipv4): void {
    replaceLink(this.#paths.leaseCursor(this.#network), formatIpv4(address));
  }

  #path(address: Ipv4): string {
    return this.#paths.lease(this.#network, formatIpv4(address));
  }
}

function takeNext(leases: LeaseDirectory, pool: LeasePool, owner: string): Ipv4 {
  const address = firstCandidate(pool, leases.cursor(), (candidate) => leases.take(candidate, owner));
  using failed = new UndoStack();
  failed.defer(() => leases.giveBack(address));
  leases.moveCursor(address);
  failed.move();
  return address;
}

/** The first address of the range that a container may have and `take` accepts, beginning behind `last`. */
function firstCandidate(pool: LeasePool, last: Ipv4 | undefined, take: (candidate: Ipv4) => boolean): Ipv4 {
  const first = firstAddress(pool.subnet);
  const size = lastAddress(pool.subnet) - first + 1;
  const start = last === undefined || !contains(pool.subnet, last) ? 0 : last - first;
  for (let step = 1; step <= size; step++) {
    const address = ipv4FromNumber(first + ((start + step) % size));
    if (isUsable(pool, address) && take(address)) return address;
  }
  throw rangeFull(pool);
}

/** Neither the network's own address, nor its broadcast address, nor the host's. */
function isUsable({ subnet, gateway }: LeasePool, address: Ipv4): boolean {
  return contains(subnet, address) && address !== firstAddress(subnet) && address !== lastAddress(subnet) &&
    address !== gateway;
}

function takeWanted(leases: LeaseDirectory, pool: LeasePool, request: LeaseRequest & { wanted: Ipv4 }): Ipv4 {
  checkWanted(pool, request.wanted);
  if (leases.take(request.wanted, request.owner)) return request.wanted;
  throw addressTaken(leases, pool, request.wanted);
}

function checkWanted(pool: LeasePool, wanted: Ipv4): void {
  const { subnet, gateway, network } = pool;
  const range = `${formatIpv4(firstAddress(subnet))}/${subnet.prefix}`;
  const text = formatIpv4(wanted);
  if (!contains(subnet, wanted)) {
    throw new UserError(`The address ${text} is not in the range ${range} of network "${network}"`);
  }
  if (wanted === gateway) throw new UserError(`The address ${text} is the host's own in network "${network}"`);
  if (!isUsable(pool, wanted)) {
    const which = wanted === firstAddress(subnet) ? "the network's own" : "the broadcast";
    throw new UserError(`The address ${text} is ${which} address of ${range}`);
  }
}

function addressTaken(leases: LeaseDirectory, { network }: LeasePool, address: Ipv4): UserError {
  const owner = leases.owner(address)?.slice(0, 12) ?? "another container";
  return new UserError(
    `The address ${formatIpv4(address)} of network "${network}" is already in use by container ${owner}`,
  );
}

function rangeFull({ network, subnet }: LeasePool): UserError {
  return new UserError(
    `Network "${network}" has no free address left in ${formatIpv4(firstAddress(subnet))}/${subnet.prefix}`,
  );
}
