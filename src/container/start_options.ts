/** What a start is told beside the request, and whom it tells. */
import type { NetworkStep } from "../network/network_step.ts";
import type { StepListener } from "../steps.ts";
import type { Paths } from "../store/paths.ts";
import type { ContainerStep } from "./container_step.ts";

/** Who hears of the steps of a start. */
export interface StartListeners {
  readonly network: StepListener<NetworkStep>;
  readonly container: StepListener<ContainerStep>;
  /** Whether anybody hears of the container's steps: else they need not even be planned. */
  readonly heard: boolean;
  /** After the last step of a start, and again after those that took it back. */
  finish(): void;
}

/** Who is told of a start, and how. */
export interface StartOptions {
  readonly paths: Paths;
  /** Asked once the container has an id. */
  listeners(container: { readonly id: string; readonly name: string }): StartListeners;
  /** One sentence for the user, while the container starts. */
  notify(sentence: string): void;
  /** What went wrong but keeps no container from running. */
  warn(error: Error): void;
}
