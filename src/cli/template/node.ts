/** What a template is once it has been parsed. `text` is always the piece of the template, for errors. */

/** `.`, `.A.B`, `$x.A`, a constant, a function's name, `(…)`, `(…).A`. */
export type Operand =
  | { readonly kind: "dot" | "nil"; readonly text: string }
  | { readonly kind: "constant"; readonly value: string | boolean | bigint | number; readonly text: string }
  | { readonly kind: "field"; readonly names: readonly string[]; readonly text: string }
  | {
    readonly kind: "variable";
    readonly variable: string;
    readonly names: readonly string[];
    readonly text: string;
  }
  | { readonly kind: "function"; readonly name: string; readonly text: string }
  | { readonly kind: "chain"; readonly of: Operand; readonly names: readonly string[]; readonly text: string }
  | Pipeline;

/** An operand and its arguments. */
export interface Command {
  readonly first: Operand;
  readonly rest: readonly Operand[];
  readonly text: string;
}

/** `$x := command | command` */
export interface Pipeline {
  readonly kind: "pipeline";
  /** The variables that get the value, `$` included. */
  readonly variables: readonly string[];
  /** Whether they are there already: `=` instead of `:=`. */
  readonly assigns: boolean;
  readonly commands: readonly Command[];
  readonly text: string;
}

/** `if`, `with` and `range`. */
export interface Branch {
  readonly kind: "if" | "with" | "range";
  readonly pipeline: Pipeline;
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[];
  readonly text: string;
}

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipeline: Pipeline; readonly text: string }
  | Branch
  | { readonly kind: "break" | "continue"; readonly text: string }
  | {
    readonly kind: "template";
    readonly name: string;
    readonly pipeline: Pipeline | undefined;
    readonly text: string;
  };

export interface Template {
  readonly body: readonly Node[];
  /** What `define` and `block` have named. */
  readonly defined: ReadonlyMap<string, readonly Node[]>;
}
