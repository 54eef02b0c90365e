
# Options and subcommands are memo's; from the first other word on it is a command, completed as its own.
_memo_or_command() {
    local i word
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        # `=` is a word of its own here: `--ttl=1h` is three, and so is `NAME=VALUE`.
        if [[ ${COMP_WORDS[i + 1]} == = ]]; then
            ((i += 2))
        elif [[ $word == -- ]]; then
            ((i++))
            break
        elif [[ " @VALUED@ " == *" $word "* ]]; then
            ((i++))
        elif [[ $i -eq 1 && " @OWN@ " == *" $word "* ]]; then
            _memo "$@"
            return
        elif [[ $word != -* && ! ($i -eq 1 && ($word == run || $word == why)) ]]; then
            break
        fi
    done
    if [[ i -gt COMP_CWORD || i -eq COMP_CWORD && $2 == -* ]]; then
        _memo "$@"
    elif declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$i"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$i"
    elif ((i == COMP_CWORD)); then
        mapfile -t COMPREPLY < <(compgen -c -- "$2")
    fi
    if ((COMP_CWORD == 1)); then
        COMPREPLY+=($(compgen -W "@SUBCOMMANDS@" -- "$2"))
    fi
}
complete -F _memo_or_command -o bashdefault -o default memo
