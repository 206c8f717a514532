/** `--explain` and `--dry-run`: prints each step when it is announced, as a command, and why it is there. Pure. */
import type { ContainerStep } from "../container/container_step.ts";
import type { NetworkStep } from "../network/network_step.ts";
import type { StepListener } from "../steps.ts";
import { whyOf } from "./container.ts";
import { networkLine, purposeLine } from "./network.ts";

/** Whose steps are printed, and where to. */
export interface ExplainOptions {
  /** The container; null where the host's network alone is changed (`net init`). */
  readonly container: { readonly name: string; readonly id: string } | null;
  /** Nothing is done: what is chosen under a lock may be another's by the time it would be. */
  readonly dryRun?: boolean;
  /** Takes whole lines. */
  readonly write: (text: string) => void;
}

/** Digits of an id that people are shown. */
const SHORT_ID = 12;

/** Prints the steps of one command. All its listeners count together: the last line says how many steps there were. */
export class ExplainPrinter {
  readonly #options: ExplainOptions;
  #steps = 0;
  #told = -1;
  #part: string | undefined;
  #why: string | undefined;

  constructor(options: ExplainOptions) {
    this.#options = options;
  }

  /** How many steps were announced so far. */
  get steps(): number {
    return this.#steps;
  }

  /** For what is done to networks: lines that sh(1) can run. */
  networkListener(): StepListener<NetworkStep> {
    const { container, dryRun = false } = this.#options;
    const context = { namespace: container?.name ?? "CONTAINER" };
    const header = container ? `# network of ${this.#subject()}` : "# network";
    return (step) => {
      const why = purposeLine(step.purpose);
      const mark = dryRun ? markOf(step) : "";
      return this.#print({ header, why, text: mark + networkLine(step, context) });
    };
  }

  /** For what the container's first process does before it becomes the command. */
  containerListener(): StepListener<ContainerStep> {
    const header = `# container ${this.#subject()}`;
    return ({ group, command }) => this.#print({ header, why: `# ${whyOf(group)}`, text: command });
  }

  /** The last line: how many steps there were, at its second time how many more. */
  finish(): void {
    if (this.#steps === this.#told) return;
    const before = Math.max(this.#told, 0);
    const steps = this.#steps - before;
    this.#told = this.#steps;
    const which = before > 0 ? " to take things back" : "";
    this.#options.write(`\n# ${steps} ${steps === 1 ? "step" : "steps"}${which}\n`);
  }

  #subject(): string {
    const { container } = this.#options;
    return container ? `${container.name} (${container.id.slice(0, SHORT_ID)})` : "";
  }

  #print({ header, why, text }: { header: string; why: string; text: string }): "go" {
    let above = "";
    if (header !== this.#part) {
      above += `${this.#part === undefined ? "" : "\n"}${header}\n`;
      this.#why = undefined;
    }
    if (why !== this.#why) above += `\n${why}\n`;
    this.#part = header;
    this.#why = why;
    this.#steps++;
    this.#options.write(`${above}${text}\n`);
    return "go";
  }
}

/** A line above a step in which something is chosen only when it is done. */
function markOf(step: NetworkStep): string {
  if (step.do === "add address" && step.side === "container") return "# The address is the one that would be taken\n";
  if (step.do !== "change firewall" || step.purpose !== "resolver" || !("rule" in step.operation)) return "";
  return "# The port is the one that the kernel would choose\n";
}
