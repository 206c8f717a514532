/** Hosts on which skdocker has never been, but others have, for commands that make or remove the whole network. */
import { difference, Lab, type Snapshot, until } from "../lab.ts";

/** Sections of a snapshot that are the network. */
const NETWORK = ["links", "addresses", "routes", "rules", "nft", "sysctls", "neighbours"];

/**
 * What a first start may leave where it fails, network or not: empty directories, locks, the tree of busybox that was
 * unpacked once, and where the next search for an address begins.
 */
const LEFT =
  /^\+ (files: d \d+ |files: f 600 \S+\/(state|network)\.lock$|files: .* \S+\/rootfs\/(busybox|tini)-|files: l 777 \S+\/cursor|cgroups: \S+\/skdocker$)/;

/** What belongs to a network that is complete. */
const COMPLETE = /^\+ files: f 600 \S+\/(host_changes\.json|networks\/(bridge|ptp)(\/state\.json)?)$/;

/** A host before and after `net init`, with links, rules and tables of others. */
export class FirstHost implements Disposable {
  readonly lab: Lab;
  readonly virgin: Snapshot;
  readonly complete: Snapshot;
  #looks = 0;

  private constructor(options: { lab: Lab; virgin: Snapshot; complete: Snapshot }) {
    this.lab = options.lab;
    this.virgin = options.virgin;
    this.complete = options.complete;
  }

  /** Makes it, and leaves it without a network of skdocker's. */
  static async create(): Promise<FirstHost> {
    const lab = Lab.create();
    lab.shell(FOREIGN);
    const virgin = await lab.settled();
    lab.output([lab.binary, "net", "init"]);
    const complete = await lab.settled();
    lab.output([lab.binary, "net", "reset", "--purge"]);
    await lab.unchanged(virgin);
    return new FirstHost({ lab, virgin, complete });
  }

  /** What is neither as if skdocker had never been there nor as after `net init`; for each, what a start may leave. */
  async half(): Promise<string[]> {
    return await this.#settle(() => {
      const now = this.#look();
      const [absent, whole] = [this.virgin, this.complete].map((state) => part(state, now, true));
      if (absent?.length === 0) return part(this.virgin, now, false).filter((line) => !LEFT.test(line));
      if (whole?.length !== 0) {
        return [...(absent ?? []).slice(0, 8), "nor is it complete:", ...(whole ?? []).slice(0, 8)];
      }
      return part(this.virgin, now, false).filter((line) => !LEFT.test(line) && !COMPLETE.test(line));
    });
  }

  /** How the network differs from that after `net init`. */
  async incomplete(): Promise<string[]> {
    return await this.#settle(() => part(this.complete, this.#look(), true));
  }

  /** How the host differs from one on which skdocker has never been. */
  async unlikeVirgin(): Promise<string[]> {
    return await this.#settle(() => comparable(this.virgin, this.#look()));
  }

  /** Runs the skdocker that has no faults; a complaint unless it succeeds in silence. */
  must(...words: string[]): string[] {
    const { code, stderr } = this.lab.skdocker(...words);
    return code === 0 && stderr === "" ? [] : [`${words.join(" ")} exited with ${code}: ${stderr}`];
  }

  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
  }

  /** The kernel's parameters take as long as all the rest: they are looked at now and then. */
  #look(): Snapshot {
    return this.lab.snapshot({ sysctls: this.#looks++ % 10 === 0 });
  }

  /** What the kernel removes a moment later is waited for. */
  async #settle(differences: () => string[]): Promise<string[]> {
    let found: string[] = [];
    const same = () => (found = differences()).length === 0;
    await until("the host to be as it should", same, { timeout: 2000 }).catch(() => {}); // said by what differs
    return found;
  }
}

/** The network's sections, or all others. */
function part(before: Snapshot, now: Snapshot, network: boolean): string[] {
  return comparable(before, now).filter((line) => NETWORK.includes(/^[-+] (\w+):/.exec(line)?.[1] ?? "") === network);
}

function comparable(before: Snapshot, now: Snapshot): string[] {
  const sections = Object.keys(now);
  return difference(Object.fromEntries(Object.entries(before).filter(([name]) => sections.includes(name))), now);
}

/** Of somebody else, and to stay as it is. */
const FOREIGN = `
ip link add br0 type bridge
ip link set br0 addrgenmode none
ip address add 172.30.0.1/24 dev br0
nft add table inet foreign
nft add chain inet foreign forward '{ type filter hook forward priority 5; policy accept; }'
nft add rule inet foreign forward ip daddr 198.51.100.7 drop comment '"not ours"'
sysctl -qw net.ipv4.conf.eth0.log_martians=1
`;
