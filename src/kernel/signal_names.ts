/** Signal names and numbers, the same on x86-64 and arm64: include/uapi/asm-generic/signal.h. Pure. */
const NAMES = [
  "HUP",
  "INT",
  "QUIT",
  "ILL",
  "TRAP",
  "ABRT",
  "BUS",
  "FPE",
  "KILL",
  "USR1",
  "SEGV",
  "USR2",
  "PIPE",
  "ALRM",
  "TERM",
  "STKFLT",
  "CHLD",
  "CONT",
  "STOP",
  "TSTP",
  "TTIN",
  "TTOU",
  "URG",
  "XCPU",
  "XFSZ",
  "VTALRM",
  "PROF",
  "WINCH",
  "IO",
  "PWR",
  "SYS",
] as const;

/** A signal's name without SIG. */
export type SignalName = (typeof NAMES)[number];

/** The number of a signal. */
export function signalNumber(name: SignalName): number {
  return NAMES.indexOf(name) + 1;
}

/** `SIGTERM`, `SIGRTMIN+3`, or the number as text where there is no such signal. */
export function signalName(signal: number): string {
  const name = NAMES[signal - 1];
  if (name !== undefined) return `SIG${name}`;
  // The C library keeps 32 and 33 for itself, so its SIGRTMIN is 34 (signal(7)).
  return signal >= 34 && signal <= 64 ? `SIGRTMIN+${signal - 34}` : `${signal}`;
}

/** The number in `15`, `TERM`, `sigterm`, `RTMIN+3`; `undefined` where it is none. */
export function parseSignal(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) >= 1 && Number(text) <= 64 ? Number(text) : undefined;
  const name = text.toUpperCase().replace(/^SIG/, "");
  const index = (NAMES as readonly string[]).indexOf(name);
  if (index >= 0) return index + 1;
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (!realTime) return undefined;
  const offset = Number(`${realTime[2] ?? ""}${realTime[3] ?? "0"}`);
  const signal = (realTime[1] === "MIN" ? 34 : 64) + offset;
  return signal >= 34 && signal <= 64 ? signal : undefined;
}
