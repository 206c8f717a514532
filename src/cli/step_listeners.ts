/** Who hears of the steps of a command: nobody, `--explain`, or in test builds whoever makes one of them fail. */
import { type ContainerStep, describeContainerStep } from "../container/container_step.ts";
import { describeStep, type NetworkStep } from "../network/network_step.ts";
import type { StepDescription, StepListener } from "../steps.ts";
import { theFaults } from "./faults.ts";
import { printError } from "./output.ts";

/** Listeners of one command, counting together. */
export interface Listeners {
  readonly network: StepListener<NetworkStep>;
  readonly container: StepListener<ContainerStep>;
  /** Whether anybody hears of the container's steps. */
  readonly heard: boolean;
  /** After the last step, and again if others came after it. */
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

/** Test builds: one of the steps may be made to fail. */
function failing(listeners: Listeners): Listeners {
  const faults = theFaults();
  const counting = <Step>(
    listener: StepListener<Step>,
    describe: (step: Step) => StepDescription,
  ): StepListener<Step> =>
  (step) => {
    const verdict = listener(step);
    return faults.reach("STEP", { ...describe(step) }) ? "fail" : verdict;
  };
  return {
    network: counting(listeners.network, describeStep),
    container: counting(listeners.container, describeContainerStep),
    heard: listeners.heard || faults.seePrograms,
    finish: () => {
      listeners.finish();
      faults.finish();
    },
  };
}
