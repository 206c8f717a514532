/** Waiting for a state that can be observed: bounded, and an expired wait says what it waited for. */

/** What a condition may answer: anything but undefined, null or false is what was waited for. */
type Condition<T> = () => T | undefined | null | false | Promise<T | undefined | null | false>;

/**
 * Asks `condition` every 5 ms until it answers, and returns the answer.
 * @param what completes "Waited … for …"
 * @param options.timeout in ms, 10 s unless given
 */
export async function until<T>(what: string, condition: Condition<T>, options: { timeout?: number } = {}): Promise<T> {
  const timeout = options.timeout ?? 10_000;
  const end = performance.now() + timeout;
  while (true) {
    const answer = await condition();
    if (answer !== undefined && answer !== null && answer !== false) return answer;
    if (performance.now() > end) throw new Error(`Waited ${timeout / 1000} s for ${what}`);
    await Bun.sleep(5);
  }
}
