# Names that only the store knows: a group behind -g, a key where a subcommand takes one.
_memo_names() {
    local what before=$words[CURRENT-1]
    local -a names
    if [[ $before == (-g|--group) ]]; then
        what=groups
    elif [[ $PREFIX == --group=* ]]; then
        compset -P '--group='
        what=groups
    elif [[ $1 == (show|clear) && $PREFIX != -* && " @TAKING@ " != *" $before "* ]] &&
        (( ! ${words[(I)--]} )); then
        what=keys
    else
        return 1
    fi
    names=("${(@f)$(command memo completions --list $what "$PREFIX" 2>/dev/null)}")
    names=("${(@)names//:/\\:}")
    names=("${(@)names/$'\t'/:}")
    [[ -n $names[1] ]] && _describe -V $what names
}

# Options and subcommands are memo's; from the first other word on it is a command, completed as its own.
_memo_or_command() {
    local i=2
    while (( i < CURRENT )); do
        case $words[i] in
        (--) (( i++ )); break ;;
        (*) if [[ " @VALUED@ " == *" $words[i] "* ]]; then
                (( i++ ))
            elif [[ $i -eq 2 && " @OWN@ " == *" $words[i] "* ]]; then
                _memo_names $words[i] || _memo "$@"
                return
            elif [[ $words[i] != -* && $words[i] != [A-Za-z_]*=* && ! ($i -eq 2 && ($words[i] == run || $words[i] == why)) ]]; then
                break
            fi ;;
        esac
        (( i++ ))
    done
    if [[ $i -gt $CURRENT || $i -eq $CURRENT && $words[i] == -* ]]; then
        _memo_names run || _memo "$@"
        return
    fi
    if (( CURRENT == 2 )); then
        _memo_commands
    fi
    shift $(( i - 1 )) words
    (( CURRENT -= i - 1 ))
    _normal
}

compdef _memo_or_command memo
if [ "$funcstack[1]" = "_memo" ]; then
    _memo_or_command "$@"
fi
