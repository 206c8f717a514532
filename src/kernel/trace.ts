/** SKDOCKER_TRACE: what is said to the kernel, decoded, on standard error as it happens. */
import { addressOf, syscall } from "../../ffi/libc.ts";
import { UserError } from "../user_error.ts";

/** What can be traced. */
export type TraceWord = "netlink" | "mount" | "nft" | "syscall";

const WORDS: readonly string[] = ["netlink", "mount", "nft", "syscall"] satisfies TraceWord[];

let on: ReadonlySet<string> | undefined;

/**
 * Whether SKDOCKER_TRACE (words separated by commas) asks for this. Ask once and keep the answer where the
 * question comes often. Throws a {@link UserError} for a word that is none.
 */
export function tracing(word: TraceWord): boolean {
  on ??= parseTrace(process.env["SKDOCKER_TRACE"]);
  return on.has(word);
}

/** The words of SKDOCKER_TRACE. Throws a {@link UserError} for one that is not known. */
export function parseTrace(text: string | undefined): ReadonlySet<string> {
  const words = new Set<string>();
  if (!text) return words;
  for (const part of text.split(",")) {
    const word = part.trim();
    if (word === "") continue;
    if (!WORDS.includes(word)) {
      throw new UserError(`SKDOCKER_TRACE does not know "${word}"; it takes ${WORDS.join(", ")}, separated by commas`);
    }
    words.add(word);
  }
  return words;
}

/** Writes one traced line to standard error. Without a stream: making one costs 10 ms. */
export function trace(word: TraceWord, text: string): void {
  const bytes = new TextEncoder().encode(`${word}: ${text}\n`);
  syscall("write", 2, addressOf(bytes), bytes.length);
}
