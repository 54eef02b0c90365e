
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
    while string match -qr '^[A-Za-z_][A-Za-z0-9_]*=' -- $argv[1]
        set -e argv[1]
    end
    if not set -q argv[1]; and string match -q -- '-*' (commandline -ct)
        return
    end
    complete --do-complete=(string join ' ' -- (string escape -- $argv) (commandline -ct) | string collect)
end
complete -c memo -x -n 'not __fish_memo_using_subcommand @OWN@' -a '(__fish_memo_command_line)'
complete -c memo -x -n '__fish_memo_using_subcommand completions' -a 'bash elvish fish powershell zsh'
# Names that only the store knows: a group behind -g, a key where a subcommand takes one.
function __fish_memo_names
    command memo completions --list $argv[1] (commandline -ct | string replace -r '^(-g|--group=)' '') 2>/dev/null
end
complete -c memo -kx -n '__fish_memo_using_subcommand show clear; and not contains -- -- (commandline -opc)' -a '(__fish_memo_names keys)'
complete -c memo -n 'not __fish_memo_using_subcommand @OWN@' -s g -l group -x -a '(__fish_memo_names groups)'
complete -c memo -n '__fish_memo_using_subcommand ls clear stats' -s g -l group -x -a '(__fish_memo_names groups)'
