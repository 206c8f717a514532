/**
 * Every path skdocker uses on the host, and nowhere else.
 *
 * Two roots: the data root (/var/lib/skdocker) holds what must survive a reboot; the run root (/run/skdocker, a
 * tmpfs) holds what is true only of this boot.
 */

/** Where the two roots are: absolute, without a trailing slash. */
export interface Roots {
  readonly root: string;
  readonly runRoot: string;
}

/** All paths under both roots. Pure: makes and checks nothing. */
export class Paths {
  /** The data root and the run root themselves. */
  readonly root: string;
  readonly runRoot: string;

  constructor({ root, runRoot }: Roots) {
    this.root = root;
    this.runRoot = runRoot;
  }

  // Data root: survives a reboot.

  /** What a network shall be: ROOT/networks/NET. */
  networkIntent(network: string): string {
    return `${this.root}/networks/${network}`;
  }
  get networkIntents(): string {
    return `${this.root}/networks`;
  }
  /** Which address a container's name had: symbolic links `NAME → IP MAC`. */
  formerAddress(network: string, name: string): string {
    return `${this.root}/former/${network}/${name}`;
  }
  get formerAddresses(): string {
    return `${this.root}/former`;
  }
  /** Unpacked root filesystems of what is inside the binary: `ROOT/rootfs/busybox-<digest>`. */
  get rootfsDirectory(): string {
    return `${this.root}/rootfs`;
  }
  /** One tree unpacked from the binary, named by its content. */
  rootfs(name: string): string {
    return `${this.root}/rootfs/${name}`;
  }
  /** A container's own directory: its overlay's upper and work directories, its mount point. */
  get containerDataDirectory(): string {
    return `${this.root}/containers`;
  }
  containerData(id: string): string {
    return `${this.root}/containers/${id}`;
  }
  overlayUpper(id: string): string {
    return `${this.root}/containers/${id}/upper`;
  }
  overlayWork(id: string): string {
    return `${this.root}/containers/${id}/work`;
  }
  overlayMerged(id: string): string {
    return `${this.root}/containers/${id}/merged`;
  }

  // Run root: true of this boot only.

  /** flock: guards allocation of names and addresses; held for less than a millisecond. */
  get stateLock(): string {
    return `${this.runRoot}/state.lock`;
  }
  /** flock: shared by a start until its record exists, exclusive for whoever changes the network as a whole. */
  get networkLock(): string {
    return `${this.runRoot}/network.lock`;
  }
  /** Records of containers: one file each, locked by its owner for as long as that lives. */
  get containers(): string {
    return `${this.runRoot}/containers`;
  }
  containerRecord(id: string): string {
    return `${this.runRoot}/containers/${id}`;
  }
  /** A running container's files that are no data: generated resolv.conf and hosts, a tmpfs for a layer. */
  get containerRunDirectory(): string {
    return `${this.runRoot}/files`;
  }
  containerRun(id: string): string {
    return `${this.runRoot}/files/${id}`;
  }
  resolvConf(id: string): string {
    return `${this.runRoot}/files/${id}/resolv.conf`;
  }
  hosts(id: string): string {
    return `${this.runRoot}/files/${id}/hosts`;
  }
  hostname(id: string): string {
    return `${this.runRoot}/files/${id}/hostname`;
  }
  /** Directories that are used as root file systems, by device and inode: a symbolic link for each container. */
  get directoryUses(): string {
    return `${this.runRoot}/directories`;
  }
  directoryUse(key: string): string {
    return `${this.runRoot}/directories/${key}`;
  }
  directoryUser(key: string, id: string): string {
    return `${this.runRoot}/directories/${key}/${id}`;
  }
  /** What was made in it to be mounted on, a line each. */
  directoryMade(key: string): string {
    return `${this.runRoot}/directories/${key}/made`;
  }
  /** Names in use: symbolic links `NAME → id`. */
  get names(): string {
    return `${this.runRoot}/names`;
  }
  name(name: string): string {
    return `${this.runRoot}/names/${name}`;
  }
  get networks(): string {
    return `${this.runRoot}/networks`;
  }
  network(network: string): string {
    return `${this.runRoot}/networks/${network}`;
  }
  /** What a network was when it was last verified: the fingerprint that spares a start a full check. */
  networkState(network: string): string {
    return `${this.runRoot}/networks/${network}/state.json`;
  }
  get joinedDirectory(): string {
    return `${this.runRoot}/joined`;
  }
  /** A container whose network namespace others have joined: symbolic links named for them. */
  joined(id: string): string {
    return `${this.runRoot}/joined/${id}`;
  }
  joinedBy(id: string, joiner: string): string {
    return `${this.runRoot}/joined/${id}/${joiner}`;
  }
  /** Addresses in use: symbolic links `IP → id of the owner`. */
  leases(network: string): string {
    return `${this.runRoot}/networks/${network}/leases`;
  }
  lease(network: string, ip: string): string {
    return `${this.runRoot}/networks/${network}/leases/${ip}`;
  }
  /** The address given last: the next search starts behind it. */
  leaseCursor(network: string): string {
    return `${this.runRoot}/networks/${network}/cursor`;
  }
  /** Former values of the host's sysctls and rules put into others' chains: what purge puts back. */
  get hostChanges(): string {
    return `${this.runRoot}/host_changes.json`;
  }
}

/** The paths of a pair of roots. */
export function pathsOf(roots: Roots): Paths {
  return new Paths(roots);
}
