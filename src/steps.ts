/**
 * Steps: what is about to be done, told to whoever listens before it happens.
 *
 * Executors know nothing of `--explain` or of fault injection: they announce each step of a plan and obey the
 * verdict. `--explain` prints what it hears, the test build counts, and answers "fail" for one of them.
 */
import { KernelError } from "../ffi/errno.ts";
import { errnoNumber } from "../ffi/errno.ts";

/** "go": do it. "fail": behave as if the kernel had refused it (test builds only). */
export type Verdict = "go" | "fail";

/** Hears of each step just before it is done. */
export type StepListener<Step> = (step: Step) => Verdict;

/** What a step says of itself when it fails: a verb phrase, and what it is done to. */
export interface StepDescription {
  readonly operation: string;
  readonly subject: string;
}

/** Announces a step; throws the injected failure (EIO) where the listener asks for it. */
export function announce<Step>(listener: StepListener<Step>, step: Step, description: StepDescription): void {
  if (listener(step) === "fail") throw new KernelError({ ...description, errno: errnoNumber("EIO") });
}
