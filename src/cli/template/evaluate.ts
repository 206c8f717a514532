/** Executing a template: text is printed, actions are evaluated, blocks are entered. */
import { evaluatePipeline } from "./evaluate_pipeline.ts";
import { Execution } from "./execution.ts";
import type { Branch, Node, Pipeline, Template } from "./node.ts";
import { printValue } from "./print.ts";
import { goQuote } from "./quote.ts";
import { isList, isMap, isTrue, sortedKeys, type Value } from "./value.ts";

/** How a list of nodes ended. */
type Outcome = "done" | "break" | "continue";

/**
 * The template's output for the value; for a table's headings, functions that change a text leave it as it is. Throws a
 * {@link TemplateError}.
 */
export function executeTemplate(template: Template, dot: Value, { isHeading = false } = {}): string {
  const execution = new Execution(template, isHeading);
  const data = dot ?? undefined;
  execution.declare("$", data);
  run(execution, template.body, data);
  return execution.output;
}

function run(execution: Execution, nodes: readonly Node[], dot: Value): Outcome {
  return execution.nested(() => {
    for (const node of nodes) {
      execution.step();
      const outcome = runNode(execution, node, dot);
      if (outcome !== "done") return outcome;
    }
    return "done";
  });
}

function runNode(execution: Execution, node: Node, dot: Value): Outcome {
  execution.at = node.text;
  switch (node.kind) {
    case "text":
      execution.write(node.text);
      return "done";
    case "action":
      runAction(execution, node.pipeline, dot);
      return "done";
    case "break":
    case "continue":
      return node.kind;
    case "template":
      callTemplate(execution, node, dot);
      return "done";
    case "range":
      return execution.nested(() => runRange(execution, node, dot));
    default:
      return execution.nested(() => runCondition(execution, node, dot));
  }
}

function runAction(execution: Execution, pipeline: Pipeline, dot: Value): void {
  const value = evaluatePipeline(execution, pipeline, dot);
  if (pipeline.variables.length === 0) execution.write(printValue(value));
}

function runCondition(execution: Execution, { kind, pipeline, body, otherwise }: Branch, dot: Value): Outcome {
  const value = evaluatePipeline(execution, pipeline, dot);
  if (!isTrue(value)) return run(execution, otherwise, dot);
  return run(execution, body, kind === "with" ? value : dot);
}

function runRange(execution: Execution, range: Branch, dot: Value): Outcome {
  const value = evaluatePipeline(execution, range.pipeline, dot);
  let isEmpty = true;
  for (const [key, element] of elementsOf(execution, range, value)) {
    isEmpty = false;
    execution.step();
    const outcome = execution.nested(() => {
      setRangeVariables(execution, range.pipeline, key, element);
      return run(execution, range.body, element);
    });
    if (outcome === "break") break;
  }
  return isEmpty ? run(execution, range.otherwise, dot) : "done";
}

/** What a range goes through: elements of a list, values of a map by sorted keys, numbers below an int. */
function* elementsOf(execution: Execution, range: Branch, value: Value): Generator<[key: Value, element: Value]> {
  if (isList(value)) { for (const [i, element] of value.entries()) yield [BigInt(i), element]; }
  else if (isMap(value)) { for (const key of sortedKeys(value)) yield [key, value.get(key) ?? null]; }
  else if (typeof value === "bigint") {
    if (range.pipeline.variables.length > 1) {
      throw execution.error(`can't use ${value} to iterate over more than one variable`);
    }
    for (let i = 0n; i < value; i++) yield [undefined, i];
  } else if (value !== undefined && value !== null) {
    throw execution.error(`range can't iterate over ${printValue(value)}`);
  }
}

/** The last variable is the element, one before it the key. */
function setRangeVariables(execution: Execution, pipeline: Pipeline, key: Value, element: Value): void {
  const { variables, assigns } = pipeline;
  const values = variables.length > 1 ? [key, element] : [element];
  for (const [i, name] of variables.entries()) {
    if (assigns) execution.assign(name, values[i]);
    else execution.declare(name, values[i]);
  }
}

function callTemplate(execution: Execution, node: Node & { kind: "template" }, dot: Value): void {
  const body = execution.template.defined.get(node.name);
  if (body === undefined) throw execution.error(`template ${goQuote(node.name)} not defined`);
  const value = node.pipeline === undefined ? undefined : evaluatePipeline(execution, node.pipeline, dot);
  execution.nested(() => {
    execution.declare("$", value);
    run(execution, body, value);
  });
}
