/** Names of capabilities as people write them: `net_admin`, `CAP_NET_ADMIN`, `all`. */
import type { CapabilityWord } from "../../container/request.ts";
import { didYouMean } from "../suggest.ts";
import { invalidArgument } from "./invalid.ts";

/** capabilities(7), Linux 6.18, without `CAP_`. */
const CAPABILITIES = "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE " +
  "DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD " +
  "NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT " +
  "SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM";

/** The capability in the kernel's spelling, or `ALL`. */
export function parseCapability(text: string, flag: "--cap-add" | "--cap-drop"): CapabilityWord {
  const upper = text.toUpperCase();
  if (upper === "ALL") return "ALL";
  const name = upper.startsWith("CAP_") ? upper.slice(4) : upper;
  const known = CAPABILITIES.split(" ");
  if (known.includes(name)) return `CAP_${name}`;
  throw invalidArgument(`it is not a capability${didYouMean(name, known)}`, { flag, text });
}
