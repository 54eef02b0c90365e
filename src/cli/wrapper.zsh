# Names that only memo knows: a group behind -g, a singleton, a key where a subcommand takes one.
_memo_names() {
    local what before=$words[CURRENT-1]
    if [[ $before == (-g|--group) ]]; then
        what=groups
    elif [[ $PREFIX == --group=* ]]; then
        compset -P '--group='
        what=groups
    elif [[ $before == --dep-singleton ]]; then
        what=any-singletons
    elif [[ $PREFIX == --dep-singleton=* ]]; then
        compset -P '--dep-singleton='
        what=any-singletons
    elif [[ $1 == (show|clear) && $PREFIX != -* && " @TAKING@ " != *" $before "* ]] &&
        (( ! ${words[(I)--]} )); then
        what=keys
    else
        return 1
    fi
    _memo_list $what
}
_memo_list() {
    local what=$1
    local -a names
    names=("${(@f)$(command memo completions --list $what "$PREFIX" 2>/dev/null)}")
    names=("${(@)names//:/\\:}")
    names=("${(@)names/$'\t'/:}")
    [[ -n $names[1] ]] && _describe -V $what names
}

# Behind `memo singleton`: a subcommand, a name, options, and a command behind `--`.
_memo_singleton() {
    local i=3 subcommand named=0 which=singletons
    if (( CURRENT > 3 )) && [[ " @OF_SINGLETON@ " == *" $words[3] "* ]]; then
        subcommand=$words[3]
        (( i++ ))
    fi
    while (( i < CURRENT )); do
        if [[ $words[i] == -- || $subcommand == run && $words[i] == --exec ]]; then
            (( i++ ))
            while (( i < CURRENT )) && [[ $words[i] == [A-Za-z_]*=* ]]; do
                (( i++ ))
            done
            shift $(( i - 1 )) words
            (( CURRENT -= i - 1 ))
            _normal
            return
        elif [[ " @VALUED_OF_SINGLETON@ " == *" $words[i] "* ]]; then
            (( i++ ))
        elif [[ $words[i] == --global ]]; then
            which=global-singletons
        elif [[ $words[i] != -* ]]; then
            named=$i
        fi
        (( i++ ))
    done
    if [[ $i -gt $CURRENT || $PREFIX == -* ]]; then
        # A name would count as a subcommand.
        if [[ -z $subcommand ]] && (( named )); then
            words[$named]=()
            (( CURRENT-- ))
        fi
        _memo_names singleton || _memo "$@"
        return
    fi
    if (( CURRENT == 3 )); then
        _memo__subcmd__singleton_commands
    fi
    if (( ! named )) && [[ $subcommand != (ls|gc) ]]; then
        _memo_list $which
    fi
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
                if [[ $words[i] == singleton ]]; then
                    _memo_singleton "$@"
                else
                    _memo_names $words[i] || _memo "$@"
                fi
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
