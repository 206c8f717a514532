import { UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
import { completionScript, SHELLS } from "../completion_scripts.ts";
import { print } from "../output.ts";
import { didYouMean } from "../suggest.ts";

export const completion = defineCommand({
  name: "completion",
  group: "Commands",
  summary: "Print the completion script for a shell",
  usage: "bash|fish|zsh",
  flags: {},
  arity: { least: 1, most: 1 },
  completes: SHELLS,
  examples: [{
    line: "skdocker completion bash > /etc/bash_completion.d/skdocker",
    says: "Complete commands, flags and values at the tab key",
  }],
  run({ positionals: [word = ""] }) {
    const shell = SHELLS.find((known) => known === word);
    const hint = didYouMean(word, SHELLS) || ", use bash, fish or zsh";
    if (shell === undefined) throw new UserError(`no completion for the shell ${JSON.stringify(word)}${hint}`);
    print(completionScript(shell));
    return 0;
  },
});
