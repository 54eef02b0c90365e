
# Names that only memo knows: a group behind -g, a singleton, a key where a subcommand takes one.
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
    elif [[ $before == --dep-singleton ]]; then
        what=any-singletons
    elif [[ ($1 == show || $1 == clear) && $2 != -* && " @TAKING@ " != *" $before "* &&
        " ${COMP_WORDS[*]:2:COMP_CWORD-2} " != *" -- "* ]]; then
        what=keys
    else
        return 1
    fi
    _memo_list "$what" "$begun"
}
_memo_list() {
    mapfile -t COMPREPLY < <(command memo completions --list "$1" "$2" 2>/dev/null | cut -f 1)
}
# From this word on it is a command, completed as its own.
_memo_command() {
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif (($1 == COMP_CWORD)); then
        mapfile -t COMPREPLY < <(compgen -c -- "$2")
    fi
}
# Behind `memo singleton`: a subcommand, a name, options, and a command behind `--`.
_memo_singleton() {
    local i=2 subcommand named word which=singletons
    if [[ $COMP_CWORD -gt 2 && " @OF_SINGLETON@ " == *" ${COMP_WORDS[2]} "* ]]; then
        subcommand=${COMP_WORDS[2]} i=3
    fi
    for ((; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == -- || $subcommand == run && $word == --exec ]]; then
            ((i++))
            while [[ ${COMP_WORDS[i + 1]} == = && i+2 -lt COMP_CWORD ]]; do
                ((i += 3))
            done
            _memo_command "$i" "$2"
            return
        elif [[ ${COMP_WORDS[i + 1]} == = ]]; then
            ((i += 2))
        elif [[ " @VALUED_OF_SINGLETON@ " == *" $word "* ]]; then
            ((i++))
        elif [[ $word == --global ]]; then
            which=global-singletons
        elif [[ $word != -* ]]; then
            named=1
        fi
    done
    if [[ i -gt COMP_CWORD || $2 == -* ]]; then
        _memo_names singleton "$2" "$3" || _memo "$@"
    elif [[ -z $named && " ls gc " != *" $subcommand "* ]]; then
        _memo_list "$which" "$2"
    fi
    if ((COMP_CWORD == 2)) && [[ $2 != -* ]]; then
        COMPREPLY+=($(compgen -W "@OF_SINGLETON@" -- "$2"))
    fi
}
# Options and subcommands are memo's; from the first other word on it is a command, completed as its own.
_memo_or_command() {
    # What completes the command may move COMP_CWORD.
    local i word first=$((COMP_CWORD == 1))
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
            if [[ $word == singleton ]]; then
                _memo_singleton "$@"
            else
                _memo_names "$word" "$2" "$3" || _memo "$@"
            fi
            return
        elif [[ $word != -* && ! ($i -eq 1 && ($word == run || $word == why)) ]]; then
            break
        fi
    done
    if [[ i -gt COMP_CWORD || i -eq COMP_CWORD && $2 == -* ]]; then
        _memo_names run "$2" "$3" || _memo "$@"
    else
        _memo_command "$i" "$2"
    fi
    if ((first)); then
        COMPREPLY+=($(compgen -W "@SUBCOMMANDS@" -- "$2"))
    fi
}
complete -F _memo_or_command -o bashdefault -o default memo
