/**
 * The last moment before a container's command runs: its link carries packets, and its neighbours know it.
 *
 * A port of a bridge forwards only once the kernel's link watch has seen the carrier, a moment after both ends are up.
 * Whoever speaks before that speaks to nobody, and waits seconds for the answer (a DNS query, say). So we wait for the
 * link's own notification, then announce the address, so that no neighbour keeps a former owner's (RFC 5227, 3).
 */
import { addressOf, check, syscall } from "../../ffi/libc.ts";
import { errnoNumber, isKernelError, KernelError } from "../../ffi/errno.ts";
import { parseIpv4 } from "../kernel/ipv4.ts";
import type { Mac } from "../kernel/mac.ts";
import { changeLink, getLink, type Link, RTNLGRP_LINK } from "../kernel/netlink/link.ts";
import { getNeighbour } from "../kernel/netlink/neighbour.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../kernel/netlink/socket.ts";
import type { AttachmentRecord } from "../store/containers.ts";
import { CONTAINER_LINK } from "./attach_plan.ts";
import type { NetworkExecutor } from "./execute.ts";

/** How long the kernel may take until a port forwards, in milliseconds. */
const SETTLE_TIMEOUT = 2000;

/** What is to settle. */
export interface Settling {
  readonly attachment: AttachmentRecord;
  /** Name of the bridge; null for ptp. */
  readonly bridge: string | null;
  /** A route socket in the container's namespace. */
  readonly route: NetlinkSocket;
}

/** Waits for the link and announces the address. Throws where the link does not come up in time. */
export function settlePair(executor: NetworkExecutor, settling: Settling): void {
  const { attachment, bridge } = settling;
  if (!isReady(getLink(executor.host, attachment.hostLink))) awaitReady(attachment.hostLink);
  announceAddress(settling);
  if (bridge !== null) correctNeighbour(executor, { attachment, bridge });
}

function isReady(link: Link): boolean {
  return link.lowerUp && (link.operstate === "up" || link.operstate === "unknown") &&
    (link.port === undefined || link.port.state === "forwarding");
}

/** Waits for a notification after which the link is ready: subscribed first, then asked, so that none is missed. */
function awaitReady(name: string): void {
  using events = NetlinkSocket.open(NETLINK_ROUTE);
  using asking = NetlinkSocket.open(NETLINK_ROUTE);
  events.subscribe([RTNLGRP_LINK]);
  const deadline = performance.now() + SETTLE_TIMEOUT;
  while (!isReady(getLink(asking, name))) {
    const left = deadline - performance.now();
    if (left <= 0 || !awaitReadable(events.fd, left)) {
      throw new KernelError({ operation: "bring up", subject: name, errno: errnoNumber("ETIMEDOUT") });
    }
    takeNotifications(events);
  }
}

function takeNotifications(events: NetlinkSocket): void {
  try {
    while (events.receive().length > 0) { /* what they say is asked for afresh */ }
  } catch (error) {
    if (!isKernelError(error, "ENOBUFS")) throw error; // some were lost, which changes nothing here
  }
}

const POLLIN = 1;

function awaitReadable(fd: number, milliseconds: number): boolean {
  const poll = new Int32Array([fd, POLLIN]);
  const time = new BigInt64Array([
    BigInt(Math.floor(milliseconds / 1000)),
    BigInt(Math.floor(milliseconds % 1000) * 1000000),
  ]);
  const [descriptors, timeout] = [new Uint8Array(poll.buffer), new Uint8Array(time.buffer)];
  const result = syscall("ppoll", addressOf(descriptors), 1, addressOf(timeout), 0, 0);
  return result === -errnoNumber("EINTR") ||
    check(result, { operation: "wait for", subject: "link notifications" }) > 0;
}

/**
 * An ARP announcement, sent by the kernel itself: with arp_notify it announces a link's addresses when the link gets a
 * MAC, also the one it has. (A packet socket would do it, too, but closing one waits for an RCU grace period: 8 to 18 ms.)
 */
function announceAddress({ attachment, route }: Settling): void {
  route.transact([changeLink(CONTAINER_LINK, { address: attachment.mac as Mac })]);
}

/** The host hears the announcement only for entries it has; one that is of a former owner is replaced at once. */
function correctNeighbour(
  executor: NetworkExecutor,
  { attachment, bridge }: { attachment: AttachmentRecord; bridge: string },
) {
  const index = executor.hostIndex(bridge);
  try {
    const { mac } = getNeighbour(executor.host, { link: index, address: parseIpv4(attachment.ip) });
    if (mac === undefined || mac === attachment.mac) return;
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return; // the host has not spoken to that address lately
    throw error;
  }
  const step = {
    do: "replace neighbour",
    purpose: "neighbour",
    link: bridge,
    ip: attachment.ip,
    address: attachment.mac as Mac,
  } as const;
  executor.run([step]);
}
