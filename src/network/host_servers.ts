/** The host's own name servers, followed while a container runs: a laptop that changes networks has others. */
import { isKernelError } from "../../ffi/errno.ts";
import { readText } from "../kernel/files.ts";
import { parseResolvConf, serversAsked } from "./resolv_conf.ts";
import { serverAddresses } from "./resolver_upstream.ts";

const PATH = "/etc/resolv.conf";
/** Milliseconds between two looks at the file, however many questions there are. */
const INTERVAL = 1000;

/**
 * Asked at each query: the addresses of other servers than before, or `undefined` while the file is the same. A file that
 * names nobody, as one that is just being written, changes nothing.
 */
export function followHostServers(): () => readonly Uint8Array[] | undefined {
  let text = read();
  let looked = performance.now();
  return () => {
    const now = performance.now();
    if (now - looked < INTERVAL) return undefined;
    looked = now;
    const found = read();
    if (found === undefined || found === text) return undefined;
    const asked = serversAsked(parseResolvConf(found));
    if (!asked) return undefined;
    text = found;
    return serverAddresses(asked);
  };
}

function read(): string | undefined {
  try {
    return readText(PATH);
  } catch (error) {
    if (isKernelError(error)) return undefined; // it is away for a moment, or for good
    throw error;
  }
}
