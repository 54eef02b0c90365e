
# Options and subcommands are memo's; from the first other word on it is a command, completed as its own.
function __fish_memo_command_line
    set -l words (commandline -opc)
    set -e words[1]
    argparse -s (__fish_memo_global_optspecs) -- $words 2>/dev/null
    or return
    if contains -- "$argv[1]" run why
        set -e argv[1]
        argparse -s (__fish_memo_global_optspecs) -- $argv 2>/dev/null
        or return
    end
    if not set -q argv[1]; and string match -q -- '-*' (commandline -ct)
        return
    end
    __fish_memo_command $argv
end
# Completes these words and the one at the cursor as a command of their own.
function __fish_memo_command
    while string match -qr '^[A-Za-z_][A-Za-z0-9_]*=' -- $argv[1]
        set -e argv[1]
    end
    complete --do-complete=(string join ' ' -- (string escape -- $argv) (commandline -ct) | string collect)
end
# Says where behind `memo singleton` the cursor is, if it is at one of these places: `first`, `name`, `command`. Behind
# `command` come the words of it, one a line.
function __fish_memo_place_of_singleton
    set -l words (commandline -opc)
    test "$words[2]" = singleton
    or return
    set -e words[1..2]
    set -q words[1]
    or echo first
    set -l subcommand
    if contains -- "$words[1]" @OF_SINGLETON@
        set subcommand $words[1]
        set -e words[1]
    end
    while set -q words[1]
        set -l word $words[1]
        set -e words[1]
        if test "$word" = --; or test "$word" = --exec
            printf '%s\n' command $words
            return
        else if contains -- $word @VALUED_OF_SINGLETON@
            set -q words[1]
            or return
            set -e words[1]
        else if not string match -q -- '-*' $word
            set subcommand named
        end
    end
    contains -- "$subcommand" named ls gc
    or echo name
end
function __fish_memo_at_of_singleton
    contains -- $argv[1] (__fish_memo_place_of_singleton)
end
function __fish_memo_subcommand_of_singleton
    set -l words (commandline -opc)
    test "$words[2]" = singleton; and contains -- "$words[3]" $argv
end
function __fish_memo_command_of_singleton
    set -l words (__fish_memo_place_of_singleton)
    set -e words[1]
    __fish_memo_command $words
end
complete -c memo -x -n 'not __fish_memo_using_subcommand @OWN@' -a '(__fish_memo_command_line)'
complete -c memo -x -n '__fish_memo_using_subcommand completions' -a 'bash elvish fish powershell zsh'
# Names that only memo knows: a group behind -g, a singleton, a key where a subcommand takes one.
function __fish_memo_names
    command memo completions --list $argv[1] (commandline -ct | string replace -r '^(-g|--group=|--dep-singleton=)' '') 2>/dev/null
end
complete -c memo -kx -n '__fish_memo_using_subcommand show clear; and not contains -- -- (commandline -opc)' -a '(__fish_memo_names keys)'
complete -c memo -n 'not __fish_memo_using_subcommand @OWN@' -s g -l group -x -a '(__fish_memo_names groups)'
complete -c memo -n '__fish_memo_using_subcommand ls clear stats' -s g -l group -x -a '(__fish_memo_names groups)'
complete -c memo -n 'not __fish_memo_using_subcommand @OWN@' -l dep-singleton -x -a '(__fish_memo_names any-singletons)'
complete -c memo -n '__fish_memo_using_subcommand singleton; and not __fish_memo_subcommand_of_singleton ls gc' -l dep-singleton -x -a '(__fish_memo_names any-singletons)'
complete -c memo -x -n '__fish_memo_at_of_singleton name; and not contains -- --global (commandline -opc)' -a '(__fish_memo_names singletons)'
complete -c memo -x -n '__fish_memo_at_of_singleton name; and contains -- --global (commandline -opc)' -a '(__fish_memo_names global-singletons)'
complete -c memo -x -n '__fish_memo_at_of_singleton command' -a '(__fish_memo_command_of_singleton)'
complete -c memo -n '__fish_memo_subcommand_of_singleton run' -l exec -x -a '(__fish_memo_command_of_singleton)'
