# Options and subcommands are memo's; from the first other word on it is a command, completed as its own.
_memo_or_command() {
    local i=2
    while (( i < CURRENT )); do
        case $words[i] in
        (--) (( i++ )); break ;;
        (*) if [[ " @VALUED@ " == *" $words[i] "* ]]; then
                (( i++ ))
            elif [[ $i -eq 2 && " @OWN@ " == *" $words[i] "* ]]; then
                _memo "$@"
                return
            elif [[ $words[i] != -* && $words[i] != [A-Za-z_]*=* && ! ($i -eq 2 && ($words[i] == run || $words[i] == why)) ]]; then
                break
            fi ;;
        esac
        (( i++ ))
    done
    if [[ $i -gt $CURRENT || $i -eq $CURRENT && $words[i] == -* ]]; then
        _memo "$@"
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
