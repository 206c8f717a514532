import { UserError } from "../../user_error.ts";

/** node:path's, loaded when the first path is met: most runs name none, and it costs 0.2 ms. */
function resolve(directory: string, path: string): string {
  return process.getBuiltinModule("node:path").resolve(directory, path);
}

/** A path of the host made absolute and normal, seen from the directory skdocker was started in. */
export function absolutePath(text: string): string {
  if (text.startsWith("/")) return resolve("/", text);
  let directory: string;
  try {
    directory = process.cwd();
  } catch (cause) {
    throw new UserError(`the current directory is gone, so "${text}" cannot be found`, { cause });
  }
  return resolve(directory, text);
}

/** A path inside the container: normal, or undefined where it isn't absolute. */
export function containerPath(text: string): string | undefined {
  return text.startsWith("/") ? resolve("/", text) : undefined;
}
