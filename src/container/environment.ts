/** The environment of a container's first process. Pure. */

/** Where commands are looked for unless PATH says otherwise: docker's order. */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What the environment is made from. */
export interface EnvironmentFacts {
  /** What was asked for; it goes before every default. null takes one away. */
  readonly asked: ReadonlyMap<string, string | null>;
  readonly hostname: string;
  readonly terminal: boolean;
  /** The user's home directory, by the container's passwd. */
  readonly home: string;
}

/** `NAME=value` lines: docker's defaults (PATH, HOSTNAME, TERM with a terminal, HOME) and what was asked for. */
export function environmentOf({ asked, hostname, terminal, home }: EnvironmentFacts): string[] {
  const variables = new Map([["PATH", DEFAULT_PATH], ["HOSTNAME", hostname]]);
  if (terminal) variables.set("TERM", "xterm");
  for (const [name, value] of asked) {
    if (value === null) variables.delete(name);
    else variables.set(name, value);
  }
  if (!variables.has("HOME")) variables.set("HOME", home);
  return Array.from(variables, ([name, value]) => `${name}=${value}`);
}

/** Where `command` is looked for, in order: itself where it has a slash, else in each directory of PATH (execvp(3)). */
export function executablePaths(command: string, environment: readonly string[]): string[] {
  if (command.includes("/")) return [command];
  const line = environment.find((entry) => entry.startsWith("PATH="));
  const path = line === undefined ? DEFAULT_PATH : line.slice("PATH=".length);
  // An empty part of PATH means the working directory.
  return path.split(":").map((directory) => `${directory === "" ? "." : directory}/${command}`);
}
