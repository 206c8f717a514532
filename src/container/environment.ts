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
  const lines: string[] = [];
  for (const [name, value] of variables) lines.push(`${name}=${value}`);
  return lines;
}

/** Where `command` is looked for, in order: itself where it has a slash, else in each directory of PATH (execvp(3)). */
export function executablePaths(command: string, environment: readonly string[]): string[] {
  if (command.includes("/")) return [command];
  let path = DEFAULT_PATH;
  for (const line of environment) {
    if (!line.startsWith("PATH=")) continue;
    path = line.slice("PATH=".length);
    break;
  }
  const paths: string[] = [];
  // An empty part of PATH means the working directory.
  for (const directory of path.split(":")) paths.push(`${directory === "" ? "." : directory}/${command}`);
  return paths;
}
