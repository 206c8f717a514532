/** Something the user can mend: the message is one clear sentence, printed without a stack. */
export class UserError extends Error {
  /** 125 for what skdocker itself refuses, as docker does; 126 and 127 are the command's. */
  readonly exitCode: number;

  constructor(message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "UserError";
    this.exitCode = options.exitCode ?? 125;
  }
}
