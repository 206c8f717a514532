/** Who hears of the steps of a command: nobody, `--explain`, or in test builds whoever makes one of them fail. */
import { isCall, type SyscallProgram } from "../../ffi/program.ts";
import type { ContainerStep } from "../container/container_step.ts";
import type { NetworkStep } from "../network/network_step.ts";
import type { StepListener } from "../steps.ts";
import { printError } from "./output.ts";

/** Listeners of one command, counting together. */
export interface Listeners {
  readonly network: StepListener<NetworkStep>;
  readonly container: StepListener<ContainerStep>;
  /** Test builds: the child's program with one of its calls made to fail. */
  readonly program?: (program: SyscallProgram) => SyscallProgram;
  /** Whether anybody hears of the container's steps. */
  readonly heard: boolean;
  /** After the last step. */
  finish(): void;
}

const go = () => "go" as const;
const SILENT: Listeners = { network: go, container: go, heard: false, finish: () => undefined };

/** What the listeners are for. */
export interface ListenerOptions {
  readonly explain: boolean;
  readonly dryRun?: boolean;
  /** null where the host's network alone is changed. */
  readonly container: { readonly id: string; readonly name: string } | null;
}

/** The listeners for a command; the printer is loaded only when it prints. */
export async function stepListeners(
  { explain }: { explain: boolean },
): Promise<(options: ListenerOptions) => Listeners> {
  const printer = explain ? await import("../explain/printer.ts") : undefined;
  return (options) => {
    const listeners = printer ? explaining(printer, options) : SILENT;
    if (typeof SKDOCKER_FAULTS !== "undefined" && SKDOCKER_FAULTS) return failing(listeners);
    return listeners;
  };
}

function explaining(
  module: typeof import("../explain/printer.ts"),
  { container, dryRun = false }: ListenerOptions,
): Listeners {
  const printer = new module.ExplainPrinter({ container, dryRun, write: printError });
  return {
    network: printer.networkListener(),
    container: container ? printer.containerListener() : go,
    heard: true,
    finish: () => printer.finish(),
  };
}

/**
 * Test builds: the step numbered by SKDOCKER_FAIL_STEP, from 1, fails; or the system call of the child's program
 * numbered by SKDOCKER_FAIL_CALL, by being made on a descriptor that is none (EBADF).
 */
function failing(listeners: Listeners): Listeners {
  const wanted = Number(process.env["SKDOCKER_FAIL_STEP"] ?? 0);
  let steps = 0;
  let calls = 0;
  const counting = <Step>(listener: StepListener<Step>): StepListener<Step> => (step) => {
    const verdict = listener(step);
    return ++steps === wanted ? "fail" : verdict;
  };
  return {
    network: counting(listeners.network),
    container: counting(listeners.container),
    heard: true,
    program: (program) => {
      calls = program.items.filter(isCall).length;
      return withFailingCall(program, Number(process.env["SKDOCKER_FAIL_CALL"] ?? 0));
    },
    finish: () => {
      listeners.finish();
      printError(`skdocker-faults: ${steps} steps, ${calls} calls\n`);
    },
  };
}

function withFailingCall(program: SyscallProgram, wanted: number): SyscallProgram {
  let calls = 0;
  const items = program.items.map((item) => {
    return isCall(item) && ++calls === wanted ? { ...item, call: "close" as const, args: [-1] } : item;
  });
  return { ...program, items };
}
