/** What is wrong with a template, in the words of Go's text/template but without its positions. */
export class TemplateError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TemplateError";
  }
}
