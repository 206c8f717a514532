/** Tokens → pipelines, commands and operands. */
import type { Token } from "./lex.ts";
import type { Command, Operand, Pipeline } from "./node.ts";
import { parseCharacter, parseNumber } from "./number.ts";
import { goQuote, goUnquote } from "./quote.ts";
import { TemplateError } from "./template_error.ts";
import type { TokenReader } from "./token_reader.ts";

/** How deep parentheses and blocks may be nested: each level takes some of the stack. */
const DEEPEST = 100;

/** What is known where the parser stands. */
export interface Parsing {
  readonly reader: TokenReader;
  readonly isFunction: (name: string) => boolean;
  /** Variables in sight, each with its `$`. */
  readonly variables: string[];
  /** Blocks and parentheses that are open. */
  depth: number;
}

/** Does `parse` one level deeper. */
export function nested<T>(parsing: Parsing, parse: () => T): T {
  if (++parsing.depth > DEEPEST) throw new TemplateError(`nested more than ${DEEPEST} levels deep`);
  const parsed = parse();
  parsing.depth--;
  return parsed;
}

/** A pipeline, and the `}}` or `)` behind it. */
export function parsePipeline(parsing: Parsing, context: string, end: "}}" | ")"): Pipeline {
  const { reader } = parsing;
  const start = reader.peekPastSpace().at;
  const declared = parseDeclarations(parsing, context);
  const commands: Command[] = [];
  for (let token = reader.peekPastSpace(); token.text !== end; token = reader.peekPastSpace()) {
    if (!startsOperand(token)) reader.refuse(token, context);
    commands.push(parseCommand(parsing));
  }
  const text = reader.textFrom(start);
  reader.next();
  checkCommands(commands, context);
  return { kind: "pipeline", ...declared, commands, text };
}

function startsOperand({ kind, text }: Token): boolean {
  if (kind === "keyword") return text === "." || text === "nil";
  if (kind === "punctuation") return text === "(";
  return ["bool", "character", "number", "string", "field", "variable", "identifier"].includes(kind);
}

/** `$x :=`, `$x =`; for `range` also `$i, $x :=`. */
function parseDeclarations(parsing: Parsing, context: string): { variables: string[]; assigns: boolean } {
  const { reader } = parsing;
  const variables: string[] = [];
  for (let token = reader.peekPastSpace(); token.kind === "variable"; token = reader.peekPastSpace()) {
    reader.next();
    const { text } = reader.peekPastSpace();
    if (text !== ":=" && text !== "=" && text !== ",") {
      reader.backTo(token);
      break;
    }
    reader.next();
    variables.push(token.text);
    parsing.variables.push(token.text);
    if (text !== ",") return { variables, assigns: text === "=" };
    checkSecond(reader.peekPastSpace(), context, variables.length);
  }
  return { variables, assigns: false };
}

function checkSecond(token: Token, context: string, declared: number): void {
  if (context !== "range" || declared > 1) throw new TemplateError(`too many declarations in ${context}`);
  const canFollow = token.kind === "variable" || token.kind === "right delimiter" || token.text === ")";
  if (!canFollow) throw new TemplateError("range can only initialize variables");
}

function checkCommands(commands: readonly Command[], context: string): void {
  if (commands.length === 0) throw new TemplateError(`missing value for ${context}`);
  const wrong = commands.findIndex(({ first }, i) => i > 0 && ["constant", "dot", "nil"].includes(first.kind));
  if (wrong >= 0) throw new TemplateError(`non executable command in pipeline stage ${wrong + 1}`);
}

/** Operands up to `|`, which is taken, or to the pipeline's end. */
function parseCommand(parsing: Parsing): Command {
  const { reader } = parsing;
  const start = reader.peekPastSpace().at;
  const operands: Operand[] = [];
  for (let more = true; more;) {
    const operand = parseOperand(parsing);
    if (operand !== undefined) operands.push(operand);
    more = reader.peek().kind === "space";
    if (more) reader.next();
  }
  const text = reader.textFrom(start);
  const token = reader.peek();
  if (token.text === "|") reader.next();
  else if (token.text !== ")" && token.kind !== "right delimiter") reader.refuse(reader.next(), "operand");
  const [first, ...rest] = operands;
  if (first === undefined) throw new TemplateError("empty command");
  return { first, rest, text };
}

/** A term and the fields behind it. */
function parseOperand(parsing: Parsing): Operand | undefined {
  const { reader } = parsing;
  const start = reader.peekPastSpace().at;
  const term = parseTerm(parsing);
  if (term === undefined || reader.peek().kind !== "field") return term;
  const names: string[] = [];
  while (reader.peek().kind === "field") names.push(reader.next().text.slice(1));
  const text = reader.textFrom(start);
  if (term.kind === "field" || term.kind === "variable") return { ...term, names: [...term.names, ...names], text };
  if (term.kind === "function" || term.kind === "pipeline") return { kind: "chain", of: term, names, text };
  throw new TemplateError(`unexpected . after term ${goQuote(term.text)}`);
}

function parseTerm(parsing: Parsing): Operand | undefined {
  const { reader } = parsing;
  const token = reader.peekPastSpace();
  if (!startsOperand(token)) return undefined;
  reader.next();
  const { text } = token;
  switch (token.kind) {
    case "punctuation":
      return nested(parsing, () => parsePipeline(parsing, "parenthesized pipeline", ")"));
    case "identifier":
      if (!parsing.isFunction(text)) throw new TemplateError(`function ${goQuote(text)} not defined`);
      return { kind: "function", name: text, text };
    case "variable":
      if (!parsing.variables.includes(text)) throw new TemplateError(`undefined variable ${goQuote(text)}`);
      return { kind: "variable", variable: text, names: [], text };
    case "field":
      return { kind: "field", names: [text.slice(1)], text };
    case "keyword":
      return { kind: text === "nil" ? "nil" : "dot", text };
    default:
      return { kind: "constant", value: constantOf(token), text };
  }
}

function constantOf({ kind, text }: Token): string | boolean | bigint | number {
  if (kind === "bool") return text === "true";
  if (kind === "number") return parseNumber(text);
  return kind === "character" ? parseCharacter(text) : goUnquote(text);
}
