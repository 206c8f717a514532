/** What a command is: a literal from which parsing, help and completion follow, and a short body. */

/** `integer` takes a decimal number; `list` may be repeated; `boolean` needs no value. */
type FlagKind = "boolean" | "string" | "integer" | "list";

export interface Flag {
  readonly kind: FlagKind;
  /** One letter. */
  readonly short?: string;
  /** What help calls the value: the kind's own word unless given. */
  readonly placeholder?: string;
  readonly help: string;
  /** The value that holds when the flag isn't given, as help prints it. */
  readonly default?: string;
  /** Works, but is in neither help nor completion. */
  readonly hidden?: true;
  /** The flag that this is another spelling of. */
  readonly alias?: string;
  /** What completion offers for the value. */
  readonly completes?: "directory" | "file" | readonly string[];
}

/** Flags by their long names, in the order help prints them. */
export type Flags = Readonly<Record<string, Flag>>;

interface ValueOf {
  readonly boolean: boolean;
  readonly string: string;
  readonly integer: number;
  readonly list: readonly string[];
}

/** The flags that were given, each with the type its kind says. */
export type Values<F extends Flags> = { readonly [Long in keyof F]?: ValueOf[F[Long]["kind"]] };

/** What was said before the command. */
export interface Globals {
  /** Absolute. */
  readonly root: string;
  /** Absolute. */
  readonly runRoot: string;
  readonly debug: boolean;
}

/** What a command's body gets. */
interface Invocation<F extends Flags = Flags> {
  readonly values: Values<F>;
  readonly positionals: readonly string[];
  readonly globals: Globals;
}

interface Example {
  readonly line: string;
  readonly says: string;
}

/** How many words a command takes besides its flags. */
export interface Arity {
  readonly least: number;
  readonly most: number;
}

export interface Command<F extends Flags = Flags> {
  /** As typed after `skdocker`: `run`, `net ls`. */
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly group: "Common Commands" | "Management Commands" | "Commands";
  /** One line for the list of commands. */
  readonly summary: string;
  /** Paragraphs for the command's own help, an empty line between; help breaks their lines. */
  readonly description?: string;
  /** What follows the name: `[OPTIONS] ROOTFS [COMMAND]`. */
  readonly usage: string;
  readonly flags: F;
  readonly arity: Arity;
  /** Flags end at the first word that isn't one, because the rest is somebody else's command line. */
  readonly flagsFirst?: true;
  readonly needsRoot?: true;
  /** In neither help nor completion. */
  readonly hidden?: true;
  readonly examples: readonly Example[];
  /** Names of the commands under this one, for a command that only groups others. */
  readonly subcommands?: readonly string[];
  /** What completion offers for the words after the flags. */
  readonly completes?: "directory" | readonly string[];
  /** The body; returns the exit code. (A method, so that commands with different flags share one list.) */
  run(invocation: Invocation<F>): number | Promise<number>;
}

/** Gives a literal its exact flag types. */
export function defineCommand<const F extends Flags>(command: Command<F>): Command<F> {
  return command;
}
