/** Completion scripts: thin, because the candidates come from the command table itself, at every tab. */

export const SHELLS = ["bash", "fish", "zsh"] as const;
export type Shell = (typeof SHELLS)[number];

/** The script that teaches `shell` to complete skdocker. */
export function completionScript(shell: Shell): string {
  switch (shell) {
    case "bash":
      return bash();
    case "fish":
      return fish();
    case "zsh":
      return zsh();
  }
}

function bash(): string {
  return `# bash completion for skdocker: skdocker completion bash > /etc/bash_completion.d/skdocker
_skdocker() {
    local IFS=$'\\n' line paths= word=\${COMP_WORDS[COMP_CWORD]}
    [[ $word == '=' ]] && word=
    COMPREPLY=()
    for line in $("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null); do
        case $line in
            :directory) paths=-d ;;
            :file) paths=-f ;;
            *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
        esac
    done
    if [[ $paths ]]; then
        compopt -o filenames 2>/dev/null
        COMPREPLY+=($(compgen $paths -- "$word"))
    fi
}
complete -F _skdocker skdocker
`;
}

function zsh(): string {
  return `#compdef skdocker
# zsh completion for skdocker: skdocker completion zsh > "\${fpath[1]}/_skdocker"
_skdocker() {
    local line paths=
    local -a candidates
    for line in "\${(@f)$(\${words[1]} __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        case $line in
            '') ;;
            :directory) paths='-/' ;;
            :file) paths='-f' ;;
            *$'\\t'*) candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
            *) candidates+=("\${line//:/\\\\:}") ;;
        esac
    done
    (( \${#candidates} )) && _describe skdocker candidates
    [[ -n $paths ]] && _files $paths
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _skdocker "$@"; else compdef _skdocker skdocker; fi
`;
}

function fish(): string {
  return `# fish completion for skdocker: skdocker completion fish > ~/.config/fish/completions/skdocker.fish
function __skdocker_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] __complete -- $words[2..-1] 2>/dev/null)
        switch $line
            case :directory
                __fish_complete_directories (commandline -ct) ''
            case :file
                __fish_complete_path (commandline -ct)
            case '*'
                echo $line
        end
    end
end
complete -c skdocker -f -a '(__skdocker_complete)'
`;
}
