/** What is known while a template runs: variables, output, the place for an error, and the bounds. */
import type { Template } from "./node.ts";
import { TemplateError } from "./template_error.ts";
import type { Value } from "./value.ts";

/** How deep blocks, parentheses and templates may be in each other: each level takes some of the stack. */
const DEEPEST = 500;
/** How many nodes are executed: ranges within ranges, and templates that call others twice, multiply. */
const MOST_STEPS = 1_000_000;
/** How long the output may become. */
const LONGEST = 1 << 26;

export class Execution {
  readonly template: Template;
  readonly isHeading: boolean;
  /** What is being evaluated, for an error. */
  at = "";
  readonly #variables: { readonly name: string; value: Value }[] = [];
  readonly #output: string[] = [];
  #length = 0;
  #steps = 0;
  #depth = 0;

  constructor(template: Template, isHeading: boolean) {
    this.template = template;
    this.isHeading = isHeading;
  }

  get output(): string {
    return this.#output.join("");
  }

  write(text: string): void {
    this.#length += text.length;
    if (this.#length > LONGEST) throw this.error("the output is too long");
    this.#output.push(text);
  }

  /** What is wrong where the execution stands, to be thrown. */
  error(sentence: string): TemplateError {
    return new TemplateError(`at <${this.at}>: ${sentence}`);
  }

  step(): void {
    if (++this.#steps > MOST_STEPS) throw this.error(`the template runs for more than ${MOST_STEPS} steps`);
  }

  /** Does something one level deeper; the variables that it makes end with it. */
  nested<T>(action: () => T): T {
    if (++this.#depth > DEEPEST) throw this.error(`nested more than ${DEEPEST} levels deep`);
    const { length } = this.#variables;
    const result = action();
    this.#variables.length = length;
    this.#depth--;
    return result;
  }

  declare(name: string, value: Value): void {
    this.#variables.push({ name, value });
  }

  assign(name: string, value: Value): void {
    const variable = this.#find(name);
    if (variable === undefined) throw this.error(`undefined variable: ${name}`);
    variable.value = value;
  }

  /** The variable's value. Parsing has seen to it that there is one. */
  valueOf(name: string): Value {
    return this.#find(name)?.value;
  }

  #find(name: string) {
    return this.#variables.findLast((variable) => variable.name === name);
  }
}
