
# Names that only the store knows: a group behind -g, a key where a subcommand takes one.
_memo_names() {
    local what before=$3 begun=$2
    # `--group=NAME` is three words here, `--group=` two.
    if [[ ${COMP_WORDS[COMP_CWORD]} == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 1]} begun=
    elif [[ $3 == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [[ $before == -g || $before == --group ]]; then
        what=groups
    elif [[ ($1 == show || $1 == clear) && $2 != -* && " @TAKING@ " != *" $before "* &&
        " ${COMP_WORDS[*]:2:COMP_CWORD-2} " != *" -- "* ]]; then
        what=keys
    else
        return 1
    fi
    mapfile -t COMPREPLY < <(command memo completions --list "$what" "$begun" 2>/dev/null | cut -f 1)
}
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
            _memo_names "$word" "$2" "$3" || _memo "$@"
            return
        elif [[ $word != -* && ! ($i -eq 1 && ($word == run || $word == why)) ]]; then
            break
        fi
    done
    if [[ i -gt COMP_CWORD || i -eq COMP_CWORD && $2 == -* ]]; then
        _memo_names run "$2" "$3" || _memo "$@"
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
