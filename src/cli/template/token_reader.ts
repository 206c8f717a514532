/** The parser's place among the tokens. */
import type { Token, TokenKind } from "./lex.ts";
import { goQuote } from "./quote.ts";
import { TemplateError } from "./template_error.ts";

const END: Token = { kind: "end", text: "", at: 0 };

export class TokenReader {
  readonly source: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  /** Where the action begins that is being read, for an error at the end of the text. */
  actionStart: number | undefined;

  constructor(source: string, tokens: readonly Token[]) {
    this.source = source;
    this.#tokens = tokens;
  }

  /** The next token, a space too. */
  peek(): Token {
    // The last token, "end" or "error", is there for ever.
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)] ?? END;
  }

  next(): Token {
    const token = this.peek();
    this.#next++;
    return token;
  }

  peekPastSpace(): Token {
    while (this.peek().kind === "space") this.#next++;
    return this.peek();
  }

  nextPastSpace(): Token {
    this.peekPastSpace();
    return this.next();
  }

  /** Goes back to the token that begins at `at`. */
  backTo(token: Token): void {
    this.#next = this.#tokens.indexOf(token, Math.max(0, this.#next - 4));
  }

  /** Takes a token of that kind, or refuses what stands there. */
  expect(kind: TokenKind, context: string): Token {
    const token = this.nextPastSpace();
    if (token.kind !== kind) this.refuse(token, context);
    return token;
  }

  /** The template's text from `start` to the token that comes next, without blanks at its end. */
  textFrom(start: number): string {
    return this.source.slice(start, this.peek().at).trimEnd();
  }

  refuse(token: Token, context: string): never {
    if (token.kind !== "error") throw new TemplateError(`unexpected ${described(token)} in ${context}`);
    const { actionStart } = this;
    const line = actionStart === undefined ? 0 : this.#lineOf(actionStart);
    if (actionStart === undefined || line === this.#lineOf(token.at)) throw new TemplateError(token.text);
    const action = token.text.endsWith(" action") ? "" : " in action";
    throw new TemplateError(`${token.text}${action} started at line ${line}`);
  }

  #lineOf(at: number): number {
    return this.source.slice(0, at).split("\n").length;
  }
}

function described({ kind, text }: Token): string {
  if (kind === "end") return "EOF";
  if (kind === "keyword") return `<${text}>`;
  const characters = Array.from(text);
  return characters.length > 10 ? `${goQuote(characters.slice(0, 10).join(""))}...` : goQuote(text);
}
