/**
 * Classic BPF as seccomp(2) takes it: a tiny assembler with labels. Pure.
 * Source: include/uapi/linux/bpf_common.h, filter.h, Documentation/networking/filter.rst.
 */

const BPF_LD_W_ABS = 0x20;
const BPF_JMP_JEQ_K = 0x15;
const BPF_JMP_JSET_K = 0x45;
const BPF_RET_K = 0x06;

/** Bytes of one struct sock_filter: code (16 bits), jt, jf (8 bits each), k (32 bits). */
const SOCK_FILTER_SIZE = 8;

/** A line of a filter. */
export type BpfLine =
  | { readonly label: string }
  /** Loads the 32-bit word at this offset of the data. */
  | { readonly load: number }
  /** Goes to a label if the accumulator equals `value`, else on. */
  | { readonly ifEqual: number; readonly goto: string }
  /** Goes to a label if the accumulator has any of these bits, else on. */
  | { readonly ifAnyOf: number; readonly goto: string }
  | { readonly return: number };

/** Assembles a filter. Throws where a label is missing, is behind its jump, or is more than 255 instructions away. */
export function assembleBpf(lines: readonly BpfLine[]): Uint8Array {
  const labels = new Map<string, number>();
  let count = 0;
  for (const line of lines) {
    if ("label" in line) labels.set(line.label, count);
    else count++;
  }
  const bytes = new Uint8Array(count * SOCK_FILTER_SIZE);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const line of lines) {
    if ("label" in line) continue;
    const [code, value] = encode(line);
    view.setUint16(at * SOCK_FILTER_SIZE, code, true);
    if ("goto" in line) bytes[at * SOCK_FILTER_SIZE + 2] = distance(at, labels.get(line.goto), line.goto);
    view.setUint32(at * SOCK_FILTER_SIZE + 4, value, true);
    at++;
  }
  return bytes;
}

function encode(line: Exclude<BpfLine, { label: string }>): [code: number, value: number] {
  if ("load" in line) return [BPF_LD_W_ABS, line.load];
  if ("ifEqual" in line) return [BPF_JMP_JEQ_K, line.ifEqual];
  if ("ifAnyOf" in line) return [BPF_JMP_JSET_K, line.ifAnyOf];
  return [BPF_RET_K, line.return];
}

/** BPF jumps forward only, by a count of instructions to skip. */
function distance(from: number, to: number | undefined, label: string): number {
  if (to === undefined) throw new Error(`label "${label}" is missing`);
  const skipped = to - from - 1;
  if (skipped < 0 || skipped > 255) throw new Error(`label "${label}" is out of reach`);
  return skipped;
}
