/**
 * Does network steps: several messages of one socket in one send, each acknowledged; firewall changes in one batch.
 *
 * Each step is announced just before it is done. What was queued is sent before a failure goes on its way, so that a
 * step that fails finds all those before it done; each step done on the host leaves how to take it back.
 */
import { isAnswerLost, NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket } from "../kernel/netlink/socket.ts";
import { deleteAddress, newAddress } from "../kernel/netlink/address.ts";
import { changeLink, deleteLink, getLink, linkIndex, newBridge, newVeth } from "../kernel/netlink/link.ts";
import { deleteRoute, newRoute } from "../kernel/netlink/route.ts";
import { deleteNeighbour, replaceNeighbour } from "../kernel/netlink/neighbour.ts";
import type { Request } from "../kernel/netlink/message.ts";
import type { NftOperation } from "../kernel/nftables/operation.ts";
import { parseIpv4, parseIpv4Network } from "../kernel/ipv4.ts";
import { isKernelError } from "../../ffi/errno.ts";
import { readSysctl, writeSysctl } from "../host/sysctl.ts";
import { announce, type StepListener } from "../steps.ts";
import { describeStep, type NetworkStep, type Side } from "./network_step.ts";
import { UndoStack } from "../undo.ts";

/** A container's namespace, as far as steps need it. */
export interface ContainerSide {
  /** Descriptor of the namespace. */
  readonly namespace: number;
  /** A route socket that was opened inside. */
  readonly route: NetlinkSocket;
}

/** Sockets of the host's namespace, opened when first used and kept, and the way to do steps on them. */
export class NetworkExecutor implements Disposable {
  readonly #listener: StepListener<NetworkStep>;
  #undone = new UndoStack();
  readonly #indexes = new Map<string, number>();
  #host: NetlinkSocket | undefined;
  #nft: NetlinkSocket | undefined;
  #container: ContainerSide | undefined;
  #queue: Request[] = [];
  /** How to take back what is in the queue, once it is done. */
  #queuedUndo: (() => void)[] = [];
  #queueSide: Side = "host";
  #batch: NftOperation[] = [];
  /** Host links that were made here, by name. */
  readonly #made: string[] = [];
  #guard: (send: () => void) => void = (send) => send();

  constructor(listener: StepListener<NetworkStep>) {
    this.#listener = listener;
  }

  get host(): NetlinkSocket {
    return this.#host ??= NetlinkSocket.open(NETLINK_ROUTE);
  }

  get nft(): NetlinkSocket {
    return this.#nft ??= NetlinkSocket.open(NETLINK_NETFILTER);
  }

  /** The container that steps on side "container" mean from here on. */
  enter(container: ContainerSide): void {
    for (const key of this.#indexes.keys()) if (key.startsWith("container ")) this.#indexes.delete(key);
    this.#container = container;
  }

  /** Remembers the index of a link in the container. */
  knowInside(link: string, index: number): void {
    this.#indexes.set(`container ${link}`, index);
  }

  /** The index of a link of the host's. Throws the KernelError ENODEV where there is none. */
  hostIndex(link: string): number {
    return this.#index("host", link);
  }

  /** Remembers a host link's index, so that it need not be asked for. */
  knowIndex(link: string, index: number): void {
    this.#indexes.set(`host ${link}`, index);
  }

  /** What is to be done around each change of the firewall. */
  guardFirewall(guard: (send: () => void) => void): void {
    this.#guard = guard;
  }

  /** A host link of that name was removed: the next one has another index. */
  forget(link: string): void {
    this.#indexes.delete(`host ${link}`);
  }

  /** Announces a step that the caller does itself. */
  tell(step: NetworkStep): void {
    announce(this.#listener, step, describeStep(step));
  }

  /** Does all steps, in order. On failure nothing is undone yet: that is {@link undo}. */
  run(steps: readonly NetworkStep[]): void {
    for (const step of steps) {
      try {
        announce(this.#listener, step, describeStep(step));
      } catch (error) {
        this.#flush();
        throw error;
      }
      this.#do(step);
    }
    this.#flush();
  }

  /** Takes back what was done on the host, last first; goes on through errors and throws them together. */
  undo(): void {
    const undone = this.#undone;
    this.#undone = new UndoStack();
    undone.dispose();
  }

  /** Adds something to take back with the steps: a file that was written on their behalf. */
  undoWith(action: () => void): void {
    this.#undone.defer(action);
  }

  /** What was done stays. */
  keep(): void {
    this.#undone = new UndoStack();
  }

  [Symbol.dispose](): void {
    this.#host?.[Symbol.dispose]();
    this.#nft?.[Symbol.dispose]();
  }

  #do(step: NetworkStep): void {
    switch (step.do) {
      case "add namespace":
        return; // made with what is to be opened in it, by the caller
      case "write sysctl":
        return step.side === "host" ? this.#writeSysctl(step.name, step.value) : undefined;
      case "change firewall":
        this.#flushQueue();
        this.#batch.push(step.operation);
        return;
      default:
        this.#flushBatch();
        return this.#request(step);
    }
  }

  #request(step: Exclude<NetworkStep, { do: "add namespace" | "write sysctl" | "change firewall" }>): void {
    const { host } = this;
    switch (step.do) {
      case "add bridge": {
        this.#flush();
        this.#add("host", newBridge({ name: step.link, address: step.address }));
        this.#made.push(step.link);
        return void this.#queuedUndo.push(() => removeOurs(host, step));
      }
      case "add veth": {
        const master = step.master === null ? {} : { master: this.#index("host", step.master) };
        const namespace = this.#inside().namespace;
        const peer = {
          name: step.peer.link,
          address: step.peer.address,
          mtu: step.mtu,
          namespace,
        };
        this.#add("host", newVeth({ name: step.link, address: step.address, mtu: step.mtu, ...master, peer }));
        this.#made.push(step.link);
        return void this.#queuedUndo.push(() => removeOurs(host, step));
      }
      case "set link": {
        const { master, hairpin, ...settings } = step.settings;
        const port = hairpin === undefined ? {} : { port: { hairpin } };
        const joined = master === undefined ? {} : { master: this.#index("host", master) };
        return this.#add(
          step.side,
          changeLink(this.#reference(step.side, step.link), { ...settings, ...port, ...joined }),
        );
      }
      case "rename link": {
        const index = this.#index("host", step.link);
        this.#indexes.delete(`host ${step.link}`);
        this.#indexes.set(`host ${step.name}`, index);
        return this.#add("host", changeLink(index, { name: step.name }));
      }
      case "delete link":
        this.#indexes.delete(`${step.side} ${step.link}`); // the next of that name has another
        return this.#add(step.side, deleteLink(step.link));
      case "add address":
      case "delete address": {
        const { address, prefix } = parseIpv4Network(step.address);
        const spec = { link: this.#index(step.side, step.link), address, prefix };
        return this.#add(step.side, step.do === "add address" ? newAddress(spec) : deleteAddress(spec));
      }
      case "add route":
      case "delete route": {
        const gateway = step.via === null ? {} : { gateway: parseIpv4(step.via) };
        const to = step.to === "default" ? {} : { destination: parseIpv4Network(step.to) };
        const spec = { link: this.#index(step.side, step.link), ...to, ...gateway };
        return this.#add(step.side, step.do === "add route" ? newRoute(spec) : deleteRoute(spec));
      }
      case "delete neighbour":
        return this.#add(
          "host",
          deleteNeighbour({ link: this.#index("host", step.link), address: parseIpv4(step.ip) }),
        );
      case "replace neighbour":
        return this.#add(
          "host",
          replaceNeighbour({ link: this.#index("host", step.link), address: parseIpv4(step.ip), mac: step.address }),
        );
    }
  }

  #writeSysctl(name: string, value: string): void {
    this.#flush();
    // A link that was made here goes with all its parameters: what they were is of no use to anybody.
    if (this.#isOfMadeLink(name)) return writeSysctl(name, value);
    const before = readSysctl(name);
    writeSysctl(name, value);
    if (before !== null && before !== value) {
      this.undoWith(() => {
        if (readSysctl(name) !== null) writeSysctl(name, before); // the link may be gone by now, and its parameters
      });
    }
  }

  #isOfMadeLink(name: string): boolean {
    for (const link of this.#made) if (name.includes(`.conf.${link}.`)) return true;
    return false;
  }

  #inside(): ContainerSide {
    if (!this.#container) throw new Error("a step for a container, without one");
    return this.#container;
  }

  #reference(side: Side, link: string): string | number {
    return this.#indexes.get(`${side} ${link}`) ?? link;
  }

  #index(side: Side, link: string): number {
    const known = this.#indexes.get(`${side} ${link}`);
    if (known !== undefined) return known;
    this.#flush(); // the link may be one that is still queued
    const index = linkIndex(side === "host" ? this.host : this.#inside().route, link);
    this.#indexes.set(`${side} ${link}`, index);
    return index;
  }

  #add(side: Side, request: Request): void {
    // What a made link is taken back by must be known before anything else can fail.
    if (side !== this.#queueSide || this.#queuedUndo.length > 0) this.#flushQueue();
    this.#queueSide = side;
    this.#queue.push(request);
  }

  #flush(): void {
    this.#flushQueue();
    this.#flushBatch();
  }

  #flushQueue(): void {
    if (this.#queue.length === 0) return;
    const [queue, undone] = [this.#queue, this.#queuedUndo];
    this.#queue = [];
    this.#queuedUndo = [];
    const socket = this.#queueSide === "host" ? this.host : this.#inside().route;
    this.#undoable(() => socket.transact(queue), undone);
  }

  #flushBatch(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    // Loaded when the first rule is to be changed: a container on the bridge changes none.
    const { sendBatch } = require("../kernel/nftables/batch.ts") as typeof import("../kernel/nftables/batch.ts");
    const { undo } = require("./firewall_plan.ts") as typeof import("./firewall_plan.ts");
    const back = undo(batch);
    const undone = back.length > 0 ? [() => sendBatch(this.nft, back)] : [];
    this.#undoable(() => this.#guard(() => sendBatch(this.nft, batch)), undone);
  }

  /** What was refused (EEXIST: it is somebody else's) must never be taken back; what may have been done must be. */
  #undoable(send: () => void, undone: readonly (() => void)[]): void {
    try {
      send();
    } catch (error) {
      if (isAnswerLost(error)) { for (const action of undone) this.undoWith(action); }
      throw error;
    }
    for (const action of undone) this.undoWith(action);
  }
}

/** Removes a link that was made, by its name, if it has the address that it was made with. */
function removeOurs(socket: NetlinkSocket, { link: name, address }: { link: string; address: string }): void {
  try {
    const link = getLink(socket, name);
    if (link.address === address) socket.transact([deleteLink(link.index)]);
  } catch (error) {
    if (!isKernelError(error, "ENODEV")) throw error; // it went with its peer's namespace
  }
}
