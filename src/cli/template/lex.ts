/** A template's text → tokens, by the rules of Go's text/template/parse. */
import { goQuote } from "./quote.ts";

export type TokenKind =
  | "text"
  | "left delimiter"
  | "right delimiter"
  | "space"
  | "identifier"
  /** `if`, `end` and the like; `nil` and `.` count too. */
  | "keyword"
  | "bool"
  | "field"
  | "variable"
  | "string"
  | "character"
  | "number"
  /** `(`, `)`, `|`, `=`, `:=`, and a printable character that means nothing. */
  | "punctuation"
  | "error"
  | "end";

export interface Token {
  readonly kind: TokenKind;
  /** As written; the sentence, for an error. */
  readonly text: string;
  /** Where it begins in the template. */
  readonly at: number;
}

const KEYWORDS = ["block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with"];

const SPACES = " \t\r\n";
const ALPHANUMERIC = /[\p{L}\p{Nd}_]/u;

interface Lexer {
  readonly source: string;
  readonly tokens: Token[];
  /** Index of the first character that is in no token yet. */
  at: number;
  /** Parentheses that are open. */
  depth: number;
}

/** All tokens; the last one is "end" or "error". */
export function lex(source: string): readonly Token[] {
  const lexer: Lexer = { source, tokens: [], at: 0, depth: 0 };
  while (lexer.tokens.at(-1)?.kind !== "error" && lexText(lexer)) lexAction(lexer);
  if (lexer.tokens.at(-1)?.kind !== "error") emit(lexer, "end", "");
  return lexer.tokens;
}

function emit(lexer: Lexer, kind: TokenKind, text: string): void {
  lexer.tokens.push({ kind, text, at: lexer.at });
  if (kind !== "error") lexer.at += text.length;
}

/** Up to the next `{{`, whose `- ` takes the blanks before it away. Returns whether there is one. */
function lexText(lexer: Lexer): boolean {
  const { source, at } = lexer;
  const next = source.indexOf("{{", at);
  let end = next < 0 ? source.length : next;
  if (next >= 0 && trimsLeft(source, next)) { while (end > at && SPACES.includes(source[end - 1] ?? "")) end--; }
  if (end > at) emit(lexer, "text", source.slice(at, end));
  lexer.at = next < 0 ? source.length : next;
  return next >= 0;
}

function trimsLeft(source: string, at: number): boolean {
  return source[at + 2] === "-" && SPACES.includes(source[at + 3] ?? "x");
}

/** From `{{` to behind `}}`. */
function lexAction(lexer: Lexer): void {
  const marker = trimsLeft(lexer.source, lexer.at) ? 2 : 0;
  if (lexer.source.startsWith("/*", lexer.at + 2 + marker)) return lexComment(lexer, lexer.at + 2 + marker);
  emit(lexer, "left delimiter", "{{");
  lexer.at += marker;
  lexer.depth = 0;
  for (let open = true; open;) open = lexInside(lexer);
}

function lexComment(lexer: Lexer, start: number): void {
  const end = lexer.source.indexOf("*/", start);
  if (end < 0) return emit(lexer, "error", "unclosed comment");
  lexer.at = end + 2;
  const close = rightDelimiter(lexer);
  if (close === "") return emit(lexer, "error", "comment ends before closing delimiter");
  skipRight(lexer, close);
}

/** `}}`, with its trim marker, where one stands; else nothing. */
function rightDelimiter({ source, at }: Lexer): string {
  if (source.startsWith("}}", at)) return "}}";
  return SPACES.includes(source[at] ?? "x") && source.startsWith("-}}", at + 1) ? source.slice(at, at + 4) : "";
}

/** Passes over a right delimiter, and over the blanks that its marker takes away. */
function skipRight(lexer: Lexer, close: string): void {
  lexer.at += close.length;
  if (close === "}}") return;
  while (SPACES.includes(lexer.source[lexer.at] ?? "x")) lexer.at++;
}

/** What a token inside an action looks like, by the kind that it has then; the first that fits counts. */
const PATTERNS: readonly (readonly [kind: TokenKind, pattern: RegExp])[] = [
  // Not the blank that belongs to a trim marker.
  ["space", /[ \t\r\n]+?(?=[ \t\r\n]-\}\})|[ \t\r\n]+/y],
  ["punctuation", /:=|[=|()]/y],
  ["string", /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`/y],
  ["character", /'(?:[^'\\\n]|\\[^\n])*'/y],
  ["variable", /\$[\p{L}\p{Nd}_]*/uy],
  // Not a number such as .5
  ["field", /\.(?![0-9])[\p{L}\p{Nd}_]+/uy],
  ["keyword", /\.(?![0-9])/y],
  ["number", /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oObB][0-9_]*)i?/y],
  ["number", /[+-]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9_]+)(?:[eE][+-]?[0-9_]*)?i?|[+-]\.?/y],
  ["identifier", /[\p{L}\p{Nd}_]+/uy],
];

/** One token of an action. Returns whether the action goes on. */
function lexInside(lexer: Lexer): boolean {
  const close = rightDelimiter(lexer);
  if (close !== "") return lexRight(lexer, close);
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = lexer.at;
    const text = pattern.exec(lexer.source)?.[0];
    if (text !== undefined) return lexMatched(lexer, kind, text);
  }
  return lexOther(lexer);
}

function lexRight(lexer: Lexer, close: string): boolean {
  if (lexer.depth > 0) emit(lexer, "error", "unclosed left paren");
  else {
    lexer.tokens.push({ kind: "right delimiter", text: "}}", at: lexer.at });
    skipRight(lexer, close);
  }
  return false;
}

function lexMatched(lexer: Lexer, kind: TokenKind, text: string): boolean {
  const { source } = lexer;
  const next = characterAt(source, lexer.at + text.length);
  if (kind === "number" && (ALPHANUMERIC.test(next) || next === "+" || next === "-")) {
    return fail(lexer, `bad number syntax: ${goQuote(text + next)}`);
  }
  if (["variable", "field", "keyword", "identifier"].includes(kind) && !endsWord(source, lexer.at + text.length)) {
    return fail(lexer, `bad character ${unicodeName(next)}`);
  }
  if (text === "(") lexer.depth++;
  if (text === ")" && --lexer.depth < 0) return fail(lexer, "unexpected right paren");
  emit(lexer, kind === "identifier" ? wordKind(text) : kind, text);
  return true;
}

function wordKind(word: string): TokenKind {
  return KEYWORDS.includes(word) ? "keyword" : word === "true" || word === "false" ? "bool" : "identifier";
}

function endsWord(source: string, at: number): boolean {
  return at >= source.length || `${SPACES}.,|:)(`.includes(source[at] ?? "") || source.startsWith("}}", at);
}

function lexOther(lexer: Lexer): boolean {
  const character = characterAt(lexer.source, lexer.at);
  if (character === "") return fail(lexer, "unclosed action");
  if (character === `"`) return fail(lexer, "unterminated quoted string");
  if (character === "`") return fail(lexer, "unterminated raw quoted string");
  if (character === "'") return fail(lexer, "unterminated character constant");
  if (character === ":") return fail(lexer, "expected :=");
  if (!/[!-~]/.test(character)) return fail(lexer, `unrecognized character in action: ${unicodeName(character)}`);
  emit(lexer, "punctuation", character);
  return true;
}

function fail(lexer: Lexer, sentence: string): false {
  emit(lexer, "error", sentence);
  return false;
}

function characterAt(source: string, at: number): string {
  const code = source.codePointAt(at);
  return code === undefined ? "" : String.fromCodePoint(code);
}

/** `U+0025 '%'` */
function unicodeName(character: string): string {
  const code = `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
  return /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character) ? `${code} '${character}'` : code;
}
