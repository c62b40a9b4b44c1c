/**
 * Each shell hands over the words up to the cursor, the last one unfinished, and gets one candidate a line: the value, and after a tab what it is.
 * Without any candidate the shell's own default offers file names.
 */
export const completionScripts = {
  bash: `# bash completion for yard
_yard() {
  local IFS=$'\\n' line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(yard __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _yard yard
`,
  zsh: `#compdef yard
_yard() {
  local -a candidates
  local line value
  while IFS= read -r line; do
    value="\${line%%$'\\t'*}"
    if [[ "$line" == *$'\\t'* ]]; then
      candidates+=("\${value//:/\\\\:}:\${line#*$'\\t'}")
    else
      candidates+=("\${value//:/\\\\:}")
    fi
  done < <(yard __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#candidates} )); then
    _describe -V yard candidates
  else
    _files
  fi
}
if [[ "\${funcstack[1]}" == _yard ]]; then _yard "$@"; else compdef _yard yard; fi
`,
  fish: `# fish completion for yard
function __yard_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l candidates (yard __complete -- $words[2..-1] 2>/dev/null)
  if test (count $candidates) -gt 0
    printf '%s\\n' $candidates
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c yard -f -a '(__yard_complete)'
`,
};
