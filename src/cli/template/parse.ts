/** A template's text → what is executed: text, actions and blocks. */
import { lex } from "./lex.ts";
import type { Node, Pipeline, Template } from "./node.ts";
import { nested, parsePipeline, type Parsing } from "./parse_pipeline.ts";
import { goQuote, goUnquote } from "./quote.ts";
import { TemplateError } from "./template_error.ts";
import { TokenReader } from "./token_reader.ts";

interface Parser extends Parsing {
  readonly defined: Map<string, readonly Node[]>;
  /** Ranges that are open: where `break` and `continue` may stand. */
  ranges: number;
}

/** What ended a list of nodes. */
type ListEnd = "end" | "else" | "end of text";

/** Parses a template. Throws a {@link TemplateError}. */
export function parseTemplate(source: string, isFunction: (name: string) => boolean): Template {
  const reader = new TokenReader(source, lex(source));
  const parser: Parser = { reader, isFunction, variables: ["$"], depth: 0, defined: new Map(), ranges: 0 };
  const { nodes, end } = parseList(parser, true);
  if (end !== "end of text") throw new TemplateError(`unexpected {{${end}}}`);
  return { body: nodes, defined: parser.defined };
}

/** Nodes up to `{{end}}`, `{{else}}` or, at the top, the end of the text. */
function parseList(parser: Parser, isTop = false): { nodes: Node[]; end: ListEnd } {
  const { reader } = parser;
  const nodes: Node[] = [];
  for (let token = reader.nextPastSpace(); token.kind !== "end"; token = reader.nextPastSpace()) {
    if (token.kind === "text") nodes.push({ kind: "text", text: token.text });
    else if (token.kind !== "left delimiter") reader.refuse(token, "input");
    else {
      reader.actionStart = token.at;
      const found = parseAction(parser, isTop);
      reader.actionStart = undefined;
      if (typeof found === "string") return { nodes, end: found };
      if (found !== undefined) nodes.push(found);
    }
  }
  if (!isTop) throw new TemplateError("unexpected EOF");
  return { nodes, end: "end of text" };
}

/** What stands behind `{{`: a node, or what ends the list it stands in; nothing for a definition. */
function parseAction(parser: Parser, isTop: boolean): Node | "end" | "else" | undefined {
  const { reader } = parser;
  const token = reader.peekPastSpace();
  if (token.kind !== "keyword" || token.text === "." || token.text === "nil") {
    const pipeline = parsePipeline(parser, "command", "}}");
    return { kind: "action", pipeline, text: pipeline.text };
  }
  reader.next();
  switch (token.text) {
    case "if":
    case "with":
    case "range":
      return nested(parser, () => parseBranch(parser, token.text as "if" | "with" | "range"));
    case "break":
    case "continue":
      return parseJump(parser, token.text);
    case "else":
      return parseElse(reader);
    case "end":
      reader.expect("right delimiter", "end");
      return "end";
    case "template":
      return parseCall(parser);
    case "block":
      return nested(parser, () => parseBlock(parser));
    default:
      if (!isTop) reader.refuse(token, "command");
      return nested(parser, () => parseDefinition(parser));
  }
}

/** The variables of a block end with it. */
function parseBranch(parser: Parser, kind: "if" | "with" | "range"): Node {
  const inSight = parser.variables.length;
  const pipeline = parsePipeline(parser, kind, "}}");
  if (kind === "range") parser.ranges++;
  const { nodes: body, end } = parseList(parser);
  if (kind === "range") parser.ranges--;
  const otherwise = end === "else" ? parseOtherwise(parser, kind) : [];
  parser.variables.length = inSight;
  return { kind, pipeline, body, otherwise, text: pipeline.text };
}

/** What follows `{{else`: an `if` or `with` of the same kind, whose `{{end}}` is this one's too, or nodes. */
function parseOtherwise(parser: Parser, kind: "if" | "with" | "range"): Node[] {
  const { reader } = parser;
  const token = reader.peek();
  if (token.kind === "keyword" && token.text === kind && kind !== "range") {
    reader.next();
    return [nested(parser, () => parseBranch(parser, kind))];
  }
  const { nodes, end } = parseList(parser);
  if (end !== "end") throw new TemplateError(`expected end; found {{${end}}}`);
  return nodes;
}

/** Of `{{else if` only the first word: the rest is for the block that the `else` belongs to. */
function parseElse(reader: TokenReader): "else" {
  const { kind, text } = reader.peekPastSpace();
  if (kind !== "keyword" || (text !== "if" && text !== "with")) reader.expect("right delimiter", "else");
  return "else";
}

function parseJump({ reader, ranges }: Parser, kind: "break" | "continue"): Node {
  reader.expect("right delimiter", `{{${kind}}}`);
  if (ranges === 0) throw new TemplateError(`{{${kind}}} outside {{range}}`);
  return { kind, text: `{{${kind}}}` };
}

/** `{{template "name" pipeline}}`, behind the first word. */
function parseCall(parser: Parser): Node {
  const { reader } = parser;
  const name = goUnquote(reader.expect("string", "template clause").text);
  let pipeline: Pipeline | undefined;
  if (reader.peekPastSpace().kind !== "right delimiter") pipeline = parsePipeline(parser, "template clause", "}}");
  else reader.next();
  return { kind: "template", name, pipeline, text: callText(name, pipeline) };
}

/** `{{block "name" pipeline}}` defines a template and calls it. */
function parseBlock(parser: Parser): Node {
  const name = goUnquote(parser.reader.expect("string", "block clause").text);
  const pipeline = parsePipeline(parser, "block clause", "}}");
  define(parser, name, "block clause");
  return { kind: "template", name, pipeline, text: callText(name, pipeline) };
}

function callText(name: string, pipeline: Pipeline | undefined): string {
  return `{{template ${goQuote(name)}${pipeline === undefined ? "" : ` ${pipeline.text}`}}}`;
}

function parseDefinition(parser: Parser): undefined {
  const name = goUnquote(parser.reader.expect("string", "define clause").text);
  parser.reader.expect("right delimiter", "define clause");
  define(parser, name, "define clause");
}

/** Reads a template's body up to its `{{end}}`; the variables outside are not seen in it. */
function define(parser: Parser, name: string, context: string): void {
  const { nodes, end } = parseList({ ...parser, variables: ["$"], ranges: 0 });
  if (end !== "end") throw new TemplateError(`unexpected {{${end}}} in ${context}`);
  const earlier = parser.defined.get(name);
  if (earlier === undefined || isBlank(earlier)) parser.defined.set(name, nodes);
  else if (!isBlank(nodes)) throw new TemplateError(`template: multiple definition of template ${goQuote(name)}`);
}

/** A body that prints nothing gives way to another of the same name. */
function isBlank(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.kind === "text" && node.text.trim() === "");
}
