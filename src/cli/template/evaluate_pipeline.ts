/** The value of a pipeline: commands, operands, fields and calls. */
import { didYouMean } from "../suggest.ts";
import type { Execution } from "./execution.ts";
import { callFunction, findFunction, leavesHeadings, type Parameter } from "./functions.ts";
import type { Command, Operand, Pipeline } from "./node.ts";
import { TemplateError } from "./template_error.ts";
import { isList, isMap, isTrue, Struct, typeName, type Value } from "./value.ts";

/** What a command hands on to the next one, as its last argument; empty for the first. */
type Handed = readonly [] | readonly [Value];

/** Evaluates the commands one after the other, and sets the pipeline's variables. */
export function evaluatePipeline(execution: Execution, pipeline: Pipeline, dot: Value): Value {
  execution.at = pipeline.text;
  let handed: Handed = [];
  for (const command of pipeline.commands) {
    const value = execution.nested(() => evaluateCommand({ execution, dot }, command, handed));
    // What stands for nil in a map or list is nothing at all outside of it.
    handed = [value ?? undefined];
  }
  const [value] = handed;
  for (const name of pipeline.variables) {
    if (pipeline.assigns) execution.assign(name, value);
    else execution.declare(name, value);
  }
  return value;
}

interface Place {
  readonly execution: Execution;
  readonly dot: Value;
}

function evaluateCommand(place: Place, { first, rest, text }: Command, handed: Handed): Value {
  if (first.kind === "function") return call(place, { name: first.name, rest, text, handed });
  return evaluateOperand(place, first, rest.length > 0 || handed.length > 0);
}

/** The value of an operand; only a function takes arguments. */
function evaluateOperand(place: Place, operand: Operand, hasArguments = false): Value {
  const { execution, dot } = place;
  execution.at = operand.text;
  switch (operand.kind) {
    case "field":
      return followFields(execution, dot, operand.names, hasArguments);
    case "chain":
      return followFields(execution, evaluateOperand(place, operand.of), operand.names, hasArguments);
    case "variable":
      if (operand.names.length === 0) break;
      return followFields(execution, execution.valueOf(operand.variable), operand.names, hasArguments);
    case "function":
      return call(place, { name: operand.name, rest: [], text: operand.text, handed: [] });
  }
  if (hasArguments) throw execution.error(`can't give argument to non-function ${operand.text}`);
  return evaluateSimple(place, operand);
}

function evaluateSimple({ execution, dot }: Place, operand: Operand): Value {
  switch (operand.kind) {
    case "dot":
      return dot;
    case "constant":
      return operand.value;
    case "variable":
      return execution.valueOf(operand.variable);
    case "pipeline":
      return evaluatePipeline(execution, operand, dot);
    default:
      // (As an argument it is known, see evaluateArgument.)
      throw execution.error("nil is not a command");
  }
}

function followFields(execution: Execution, start: Value, names: readonly string[], hasArguments: boolean): Value {
  let value = start;
  names.forEach((name, i) => {
    value = fieldOf(execution, value, name, hasArguments && i === names.length - 1);
  });
  return value;
}

/** Of nothing there is nothing; of nil there is no field, and of a map every one. */
function fieldOf(execution: Execution, value: Value, name: string, hasArguments: boolean): Value {
  if (value === undefined) return undefined;
  if (value === null) throw execution.error(`nil pointer evaluating interface {}.${name}`);
  if (isMap(value)) {
    if (hasArguments) throw execution.error(`${name} is not a method but has arguments`);
    return value.get(name);
  }
  if (!(value instanceof Struct)) throw execution.error(`can't evaluate field ${name} in type ${typeName(value)}`);
  if (!value.fields.has(name)) {
    throw execution.error(noField(name, [...value.fields.keys()]));
  }
  if (hasArguments) throw execution.error(`${name} has arguments but cannot be invoked as function`);
  return value.fields.get(name);
}

function noField(name: string, names: readonly string[]): string {
  return `there is no field ${name}${didYouMean(name, names) || `, there are ${names.join(", ")}`}`;
}

interface Call {
  readonly name: string;
  readonly rest: readonly Operand[];
  /** The whole command, for an error. */
  readonly text: string;
  readonly handed: Handed;
}

function call(place: Place, { name, rest, text, handed }: Call): Value {
  const { execution } = place;
  execution.at = name;
  const { parameters, variadic } = findFunction(name);
  const isLeft = execution.isHeading && leavesHeadings(name);
  checkCount(execution, { name, count: rest.length + handed.length, written: rest.length });
  const parameterAt = (i: number): Parameter => {
    // (A heading is a text, whatever its field is.)
    return isLeft ? "any" : parameters[variadic ? Math.min(i, parameters.length - 1) : i] ?? "any";
  };
  const args: Value[] = [];
  for (const [i, operand] of rest.entries()) {
    const value = evaluateArgument(place, operand, parameterAt(i));
    // The first that decides is the value; what follows it isn't evaluated.
    if ((name === "and" || name === "or") && isTrue(value) === (name === "or")) return value;
    args.push(value);
  }
  for (const value of handed) args.push(checkType(execution, value, parameterAt(rest.length)));
  try {
    return isLeft ? args[0] : callFunction(name, args);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    execution.at = text;
    throw execution.error(error.message);
  }
}

function checkCount(execution: Execution, given: { name: string; count: number; written: number }): void {
  const { parameters, variadic } = findFunction(given.name);
  if (!variadic && given.count !== parameters.length) {
    throw execution.error(`wrong number of args for ${given.name}: want ${parameters.length} got ${given.count}`);
  }
  if (variadic && given.count < parameters.length - 1) {
    throw execution.error(
      `wrong number of args for ${given.name}: want at least ${parameters.length - 1} got ${given.written}`,
    );
  }
}

const GO_TYPES: Readonly<Record<Parameter, string>> = {
  any: "interface {}",
  string: "string",
  integer: "int",
  strings: "[]string",
};

/** An operand as a function's argument: a constant must be written in the parameter's kind. */
function evaluateArgument(place: Place, operand: Operand, parameter: Parameter): Value {
  const { execution } = place;
  execution.at = operand.text;
  if (operand.kind === "nil") {
    if (parameter === "any" || parameter === "strings") return undefined;
    throw execution.error(`cannot assign nil to ${GO_TYPES[parameter]}`);
  }
  if (operand.kind !== "constant") return checkType(execution, evaluateOperand(place, operand), parameter);
  const { value, text } = operand;
  if (parameter === "any" || (parameter === "string" && typeof value === "string")) return value;
  if (parameter === "integer" && typeof value === "bigint") return value;
  if (parameter === "integer" && typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  if (parameter === "strings") throw execution.error(`can't handle ${text} for arg of type []string`);
  throw execution.error(`expected ${parameter}; found ${text}`);
}

function checkType(execution: Execution, value: Value, parameter: Parameter): Value {
  const fits = parameter === "any" ||
    (parameter === "string" && typeof value === "string") ||
    (parameter === "integer" && typeof value === "bigint") ||
    (parameter === "strings" && isList(value) && value.every((item) => typeof item === "string"));
  if (fits) return value;
  if (value === undefined && parameter === "strings") return [];
  if (value === undefined) throw execution.error(`invalid value; expected ${GO_TYPES[parameter]}`);
  throw execution.error(`wrong type for value; expected ${GO_TYPES[parameter]}; got ${typeName(value)}`);
}
