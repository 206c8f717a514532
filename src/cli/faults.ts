/**
 * Test builds alone (`scripts/build --faults`): one point of a command is made to fail.
 *
 *   SKDOCKER_FAIL_STEP=N     the step announced as the Nth, as if the kernel had refused it (EIO)
 *   SKDOCKER_FAIL_CALL=N     the Nth system call of the child's program (EBADF), whatever else it could lead to
 *   SKDOCKER_FAIL_SYSCALL=N  the Nth system call of skdocker itself (EIO), those of its programs in other namespaces
 *                            included (EBADF): every write of its state, every undo
 *   SKDOCKER_FAIL_AGAIN=M    after one of these failures: the Mth system call behind it, too
 *   SKDOCKER_FAIL_PLAIN=1    leaves the programs that were assembled at build time: steps and calls of a plain start's
 *                            child are not come to then
 *   SKDOCKER_FAIL_LOG=FILE   a line of JSON for each point that was come to, and for the end
 *
 * All count from 1.
 */
import { appendFileSync } from "node:fs";
import { printError } from "./output.ts";
import { gateSyscalls } from "../../ffi/libc.ts";
import { rewritePrograms } from "../../ffi/native.ts";
import { type Call, isCall, type Item, type SyscallProgram } from "../../ffi/program.ts";

/** The kinds of points, by which they are asked for and told of. */
type Point = "STEP" | "CALL" | "SYSCALL" | "AGAIN";

/** The points of one process, as they are come to. */
class Faults {
  readonly #counts: Record<Point, number> = { STEP: 0, CALL: 0, SYSCALL: 0, AGAIN: 0 };
  readonly #log = process.env["SKDOCKER_FAIL_LOG"];
  #failed = false;
  #finished = false;
  #logging = false;

  /** Begins to count the system calls. */
  install(): void {
    gateSyscalls((name) => this.#systemCall({ name }) ? "fail" : "go");
    if (this.seePrograms) rewritePrograms((program, whose) => this.#inProgram(program, whose));
  }

  /** Whether programs are rewritten: then none is used that was assembled at build time. */
  get seePrograms(): boolean {
    return process.env["SKDOCKER_FAIL_PLAIN"] === undefined;
  }

  /** After the last step of what was asked for: what comes now is taking things back. */
  finish(): void {
    this.#tell({ point: "FINISH" });
    if (!this.#finished && !this.#failed) {
      printError(`skdocker-faults: ${this.#counts.STEP} steps, ${this.#counts.CALL} calls\n`);
    }
    this.#finished = true;
  }

  /** Comes to a point; says whether it is to fail. */
  reach(point: Point, about: Readonly<Record<string, unknown>>): boolean {
    const count = ++this.#counts[point];
    const fails = count === Number(process.env[`SKDOCKER_FAIL_${point}`] ?? 0);
    this.#tell({ point, count, fails, ...about });
    this.#failed ||= fails;
    return fails;
  }

  /** Adds a line to the log. */
  #tell(line: Readonly<Record<string, unknown>>): void {
    if (this.#log === undefined || this.#logging) return;
    this.#logging = true;
    appendFileSync(this.#log, `${JSON.stringify(line)}\n`);
    this.#logging = false;
  }

  #systemCall(about: Readonly<Record<string, unknown>>): boolean {
    const again = this.#failed && this.reach("AGAIN", about);
    return this.reach("SYSCALL", about) || again;
  }

  /** What the parent does by a program is behind no clone; what is, is the child's. */
  #inProgram({ items, ...program }: SyscallProgram, whose: "ours" | "theirs"): SyscallProgram {
    const clone = items.findIndex((item) => "label" in item && item.label === "clone: child");
    const isChilds = (index: number) => whose === "theirs" || (clone >= 0 && index > clone);
    return {
      ...program,
      items: items.map((item, index) => {
        // The end of a program that got too far, which none does.
        if (!isCall(item) || item.call === "exit_group") return item;
        const { call: name, operation, subject } = item;
        if (!isChilds(index)) return this.#systemCall({ name, operation, subject }) ? refused(item) : item;
        const skippable = mayBeSkipped(items, index);
        return this.reach("CALL", { name, operation, subject, skippable }) ? final(refused(item)) : item;
      }),
    };
  }
}

let faults: Faults | undefined;

/** The faults of this process. */
export function theFaults(): Faults {
  return faults ??= new Faults();
}

/** The call on a descriptor that is none: EBADF, and nothing is done. */
function refused(call: Call): Call {
  return { ...call, call: "close", args: [-1] };
}

/** The call without any other way out of an error. */
function final({ onError: _onError, tolerate: _tolerate, ...call }: Call): Call {
  return call;
}

/** Whether there is a way around an item: a jump from before it to behind it. */
function mayBeSkipped(items: readonly Item[], index: number): boolean {
  return items.slice(0, index).some((item) => {
    const targets = isCall(item)
      ? [item.onError, item.onSuccess, item.whenZero]
      : ["jump" in item ? item.jump : undefined];
    return targets.some((target) => {
      return target !== undefined && items.findIndex((to) => "label" in to && to.label === target) > index;
    });
  });
}
