import { type FlagWord, invalidArgument } from "./invalid.ts";

/** The words of Go's strconv.ParseBool. `word` is what was written, for the error. */
export function parseBoolean(text: string, word: FlagWord): boolean {
  switch (text) {
    case "true":
    case "1":
    case "t":
    case "T":
    case "TRUE":
    case "True":
      return true;
    case "false":
    case "0":
    case "f":
    case "F":
    case "FALSE":
    case "False":
      return false;
  }
  throw invalidArgument(word.text === text ? "neither true nor false" : `"${text}" is neither true nor false`, word);
}
