import { UserError } from "../../user_error.ts";

/** A word and the flag it was given to, as written by the user. */
export interface FlagWord {
  readonly flag: string;
  readonly text: string;
}

/** The sentence for a flag's value that cannot be what it should be; `reason` follows a colon. */
export function invalidArgument(reason: string, { flag, text }: FlagWord): UserError {
  return new UserError(`invalid argument ${JSON.stringify(text)} for ${flag}: ${reason}`);
}
