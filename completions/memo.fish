# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_memo_global_optspecs
    string join \n i/input= e/env= k/key= key-cmd= dep-singleton= stdin= n no-cwd root= no-auto no-exe o/output= strict depfile= cache-exit= g/group= ttl= stale= check= refresh only-cached max-entries= max-size= progress= pty= v/verbose q/quiet h/help V/version
end

function __fish_memo_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_memo_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_memo_using_subcommand
    set -l cmd (__fish_memo_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c memo -n "__fish_memo_needs_command" -s i -l input -d 'Hash this file, glob or directory too' -r -F
complete -c memo -n "__fish_memo_needs_command" -s e -l env -d 'Hash this environment variable too' -r -f
complete -c memo -n "__fish_memo_needs_command" -s k -l key -d 'Hash this text too' -r -f
complete -c memo -n "__fish_memo_needs_command" -l key-cmd -d 'Hash what this shell command prints' -r -f
complete -c memo -n "__fish_memo_needs_command" -l dep-singleton -d 'Hash which process the singleton NAME is: the result is kept as long as that lives' -r -f
complete -c memo -n "__fish_memo_needs_command" -l stdin -d 'Hash stdin, or give the command none' -r -f -a "auto\t'Hash it'
none\t'Give none'"
complete -c memo -n "__fish_memo_needs_command" -l root -d 'Share results between checkouts: paths below DIR are kept relative to it' -r -f -a "(__fish_complete_directories)"
complete -c memo -n "__fish_memo_needs_command" -s o -l output -d 'Store this output file, directory or glob, and put it back on a hit' -r -F
complete -c memo -n "__fish_memo_needs_command" -l depfile -d 'Hash what this depfile names, which the command writes' -r -F
complete -c memo -n "__fish_memo_needs_command" -l cache-exit -d 'Exit statuses that are kept, such as 0,1 or 0-3' -r -f
complete -c memo -n "__fish_memo_needs_command" -s g -l group -d 'The group for ls and clear, instead of the program\'s name' -r -f
complete -c memo -n "__fish_memo_needs_command" -l ttl -d 'Run again when the result is this old: 90, 15m, 1d12h, none' -r -f
complete -c memo -n "__fish_memo_needs_command" -l stale -d 'Refresh behind when the result is this old, and answer with it meanwhile: 0, 30s, 10m' -r -f
complete -c memo -n "__fish_memo_needs_command" -l check -d 'Run again when this shell command fails; it runs before a result is reused' -r -f
complete -c memo -n "__fish_memo_needs_command" -l max-entries -d 'Keep so many results of the group, those used last' -r -f
complete -c memo -n "__fish_memo_needs_command" -l max-size -d 'Keep the store no larger than this: 500M, 2GiB' -r -f
complete -c memo -n "__fish_memo_needs_command" -l progress -d 'Show how long the command has been running: auto at a terminal, always, never' -r -f -a "auto\t'To somebody at a terminal'
always\t'Wherever stderr goes'
never\t'Not at all'"
complete -c memo -n "__fish_memo_needs_command" -l pty -d 'Give the command a terminal of its own, so that colours and columns survive: never, always' -r -f -a "never\t'No'
always\t'Yes'"
complete -c memo -n "__fish_memo_needs_command" -s n -d 'Give the command /dev/null as stdin; the same as --stdin none'
complete -c memo -n "__fish_memo_needs_command" -l no-cwd -d 'Share results between working directories'
complete -c memo -n "__fish_memo_needs_command" -l no-auto -d 'Do not look at the files and directories that words of the command name'
complete -c memo -n "__fish_memo_needs_command" -l no-exe -d 'Do not hash the program and its interpreter'
complete -c memo -n "__fish_memo_needs_command" -l strict -d 'Do not keep a run that leaves other new files beside its declared outputs'
complete -c memo -n "__fish_memo_needs_command" -l refresh -d 'Run in any case, and replace what is stored'
complete -c memo -n "__fish_memo_needs_command" -l only-cached -d 'Do not run: exit 75 when nothing is stored'
complete -c memo -n "__fish_memo_needs_command" -s v -l verbose -d 'Say hit or miss, and why'
complete -c memo -n "__fish_memo_needs_command" -s q -l quiet -d 'Say nothing but errors'
complete -c memo -n "__fish_memo_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_needs_command" -s V -l version -d 'Print version'
complete -c memo -n "__fish_memo_needs_command" -f -a "run" -d 'Run a command, or replay it'
complete -c memo -n "__fish_memo_needs_command" -f -a "ls" -d 'List what is recorded'
complete -c memo -n "__fish_memo_needs_command" -f -a "show" -d 'Show all that is known of an entry'
complete -c memo -n "__fish_memo_needs_command" -f -a "clear" -d 'Remove what is recorded'
complete -c memo -n "__fish_memo_needs_command" -f -a "why" -d 'Say whether a command would hit, and why not'
complete -c memo -n "__fish_memo_needs_command" -f -a "stats" -d 'Say how often memo answered, and what that saved'
complete -c memo -n "__fish_memo_needs_command" -f -a "gc" -d 'Remove what is too much, and what nothing needs'
complete -c memo -n "__fish_memo_needs_command" -f -a "doctor" -d 'Look for damage in the store'
complete -c memo -n "__fish_memo_needs_command" -f -a "config" -d 'Print what is configured, and where each value comes from'
complete -c memo -n "__fish_memo_needs_command" -f -a "completions" -d 'Print completions for a shell'
complete -c memo -n "__fish_memo_needs_command" -f -a "help" -d 'Show what is in the key, or another topic, or a subcommand\'s help'
complete -c memo -n "__fish_memo_using_subcommand run" -s i -l input -d 'Hash this file, glob or directory too' -r -F
complete -c memo -n "__fish_memo_using_subcommand run" -s e -l env -d 'Hash this environment variable too' -r -f
complete -c memo -n "__fish_memo_using_subcommand run" -s k -l key -d 'Hash this text too' -r -f
complete -c memo -n "__fish_memo_using_subcommand run" -l key-cmd -d 'Hash what this shell command prints' -r -f
complete -c memo -n "__fish_memo_using_subcommand run" -l dep-singleton -d 'Hash which process the singleton NAME is: the result is kept as long as that lives' -r -f
complete -c memo -n "__fish_memo_using_subcommand run" -l stdin -d 'Hash stdin, or give the command none' -r -f -a "auto\t'Hash it'
none\t'Give none'"
complete -c memo -n "__fish_memo_using_subcommand run" -l root -d 'Share results between checkouts: paths below DIR are kept relative to it' -r -f -a "(__fish_complete_directories)"
complete -c memo -n "__fish_memo_using_subcommand run" -s o -l output -d 'Store this output file, directory or glob, and put it back on a hit' -r -F
complete -c memo -n "__fish_memo_using_subcommand run" -l depfile -d 'Hash what this depfile names, which the command writes' -r -F
complete -c memo -n "__fish_memo_using_subcommand run" -l cache-exit -d 'Exit statuses that are kept, such as 0,1 or 0-3' -r -f
complete -c memo -n "__fish_memo_using_subcommand run" -s g -l group -d 'The group for ls and clear, instead of the program\'s name' -r -f
complete -c memo -n "__fish_memo_using_subcommand run" -l ttl -d 'Run again when the result is this old: 90, 15m, 1d12h, none' -r -f
complete -c memo -n "__fish_memo_using_subcommand run" -l stale -d 'Refresh behind when the result is this old, and answer with it meanwhile: 0, 30s, 10m' -r -f
complete -c memo -n "__fish_memo_using_subcommand run" -l check -d 'Run again when this shell command fails; it runs before a result is reused' -r -f
complete -c memo -n "__fish_memo_using_subcommand run" -l max-entries -d 'Keep so many results of the group, those used last' -r -f
complete -c memo -n "__fish_memo_using_subcommand run" -l max-size -d 'Keep the store no larger than this: 500M, 2GiB' -r -f
complete -c memo -n "__fish_memo_using_subcommand run" -l progress -d 'Show how long the command has been running: auto at a terminal, always, never' -r -f -a "auto\t'To somebody at a terminal'
always\t'Wherever stderr goes'
never\t'Not at all'"
complete -c memo -n "__fish_memo_using_subcommand run" -l pty -d 'Give the command a terminal of its own, so that colours and columns survive: never, always' -r -f -a "never\t'No'
always\t'Yes'"
complete -c memo -n "__fish_memo_using_subcommand run" -s n -d 'Give the command /dev/null as stdin; the same as --stdin none'
complete -c memo -n "__fish_memo_using_subcommand run" -l no-cwd -d 'Share results between working directories'
complete -c memo -n "__fish_memo_using_subcommand run" -l no-auto -d 'Do not look at the files and directories that words of the command name'
complete -c memo -n "__fish_memo_using_subcommand run" -l no-exe -d 'Do not hash the program and its interpreter'
complete -c memo -n "__fish_memo_using_subcommand run" -l strict -d 'Do not keep a run that leaves other new files beside its declared outputs'
complete -c memo -n "__fish_memo_using_subcommand run" -l refresh -d 'Run in any case, and replace what is stored'
complete -c memo -n "__fish_memo_using_subcommand run" -l only-cached -d 'Do not run: exit 75 when nothing is stored'
complete -c memo -n "__fish_memo_using_subcommand run" -s v -l verbose -d 'Say hit or miss, and why'
complete -c memo -n "__fish_memo_using_subcommand run" -s q -l quiet -d 'Say nothing but errors'
complete -c memo -n "__fish_memo_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand ls" -s g -l group -d 'List only this group' -r
complete -c memo -n "__fish_memo_using_subcommand ls" -l sort -d 'What comes first' -r -f -a "age\t'The newest'
used\t'The last used'
hits\t'The most often used'
saved\t'What saved the most time'
size\t'The largest'
command\t'By the alphabet'"
complete -c memo -n "__fish_memo_using_subcommand ls" -s n -l limit -d 'List only the first N' -r
complete -c memo -n "__fish_memo_using_subcommand ls" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, as NO_COLOR, CLICOLOR_FORCE, CLICOLOR and TERM have it'
always\t'Also into a file or pipe'
never\t'Not even on a terminal'"
complete -c memo -n "__fish_memo_using_subcommand ls" -s r -l reverse -d 'The other way round: the oldest first, or the smallest'
complete -c memo -n "__fish_memo_using_subcommand ls" -s l -l long -d 'Show whole keys, groups and directories, and cut nothing'
complete -c memo -n "__fish_memo_using_subcommand ls" -l json -d 'Print one JSON object a line'
complete -c memo -n "__fish_memo_using_subcommand ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand show" -l output -d 'Print the content of this output file, and nothing else' -r -f
complete -c memo -n "__fish_memo_using_subcommand show" -l color -d 'When to use colours: auto, always or never, as with `memo ls`' -r -f -a "auto\t'On a terminal, as NO_COLOR, CLICOLOR_FORCE, CLICOLOR and TERM have it'
always\t'Also into a file or pipe'
never\t'Not even on a terminal'"
complete -c memo -n "__fish_memo_using_subcommand show" -l stdout -d 'Print what the command wrote to stdout, and nothing else'
complete -c memo -n "__fish_memo_using_subcommand show" -l stderr -d 'Print what the command wrote to stderr, and nothing else'
complete -c memo -n "__fish_memo_using_subcommand show" -s l -l long -d 'Show whole digests, and the files of the store'
complete -c memo -n "__fish_memo_using_subcommand show" -l json -d 'Print one JSON object a line, one for each entry'
complete -c memo -n "__fish_memo_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand clear" -s g -l group -d 'Remove only of this group' -r
complete -c memo -n "__fish_memo_using_subcommand clear" -l older-than -d 'Remove only what was recorded longer ago' -r
complete -c memo -n "__fish_memo_using_subcommand clear" -l root -d 'Of the command after --, what was recorded with this --root' -r -f -a "(__fish_complete_directories)"
complete -c memo -n "__fish_memo_using_subcommand clear" -s y -l yes -d 'Do not ask'
complete -c memo -n "__fish_memo_using_subcommand clear" -l dry-run -d 'Only say what would be removed'
complete -c memo -n "__fish_memo_using_subcommand clear" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand why" -s i -l input -d 'Hash this file, glob or directory too' -r -F
complete -c memo -n "__fish_memo_using_subcommand why" -s e -l env -d 'Hash this environment variable too' -r -f
complete -c memo -n "__fish_memo_using_subcommand why" -s k -l key -d 'Hash this text too' -r -f
complete -c memo -n "__fish_memo_using_subcommand why" -l key-cmd -d 'Hash what this shell command prints' -r -f
complete -c memo -n "__fish_memo_using_subcommand why" -l dep-singleton -d 'Hash which process the singleton NAME is: the result is kept as long as that lives' -r -f
complete -c memo -n "__fish_memo_using_subcommand why" -l stdin -d 'Hash stdin, or give the command none' -r -f -a "auto\t'Hash it'
none\t'Give none'"
complete -c memo -n "__fish_memo_using_subcommand why" -l root -d 'Share results between checkouts: paths below DIR are kept relative to it' -r -f -a "(__fish_complete_directories)"
complete -c memo -n "__fish_memo_using_subcommand why" -s o -l output -d 'Store this output file, directory or glob, and put it back on a hit' -r -F
complete -c memo -n "__fish_memo_using_subcommand why" -l depfile -d 'Hash what this depfile names, which the command writes' -r -F
complete -c memo -n "__fish_memo_using_subcommand why" -l cache-exit -d 'Exit statuses that are kept, such as 0,1 or 0-3' -r -f
complete -c memo -n "__fish_memo_using_subcommand why" -s g -l group -d 'The group for ls and clear, instead of the program\'s name' -r -f
complete -c memo -n "__fish_memo_using_subcommand why" -l ttl -d 'Run again when the result is this old: 90, 15m, 1d12h, none' -r -f
complete -c memo -n "__fish_memo_using_subcommand why" -l stale -d 'Refresh behind when the result is this old, and answer with it meanwhile: 0, 30s, 10m' -r -f
complete -c memo -n "__fish_memo_using_subcommand why" -l check -d 'Run again when this shell command fails; it runs before a result is reused' -r -f
complete -c memo -n "__fish_memo_using_subcommand why" -l max-entries -d 'Keep so many results of the group, those used last' -r -f
complete -c memo -n "__fish_memo_using_subcommand why" -l max-size -d 'Keep the store no larger than this: 500M, 2GiB' -r -f
complete -c memo -n "__fish_memo_using_subcommand why" -l progress -d 'Show how long the command has been running: auto at a terminal, always, never' -r -f -a "auto\t'To somebody at a terminal'
always\t'Wherever stderr goes'
never\t'Not at all'"
complete -c memo -n "__fish_memo_using_subcommand why" -l pty -d 'Give the command a terminal of its own, so that colours and columns survive: never, always' -r -f -a "never\t'No'
always\t'Yes'"
complete -c memo -n "__fish_memo_using_subcommand why" -l json -d 'Print one JSON object'
complete -c memo -n "__fish_memo_using_subcommand why" -s n -d 'Give the command /dev/null as stdin; the same as --stdin none'
complete -c memo -n "__fish_memo_using_subcommand why" -l no-cwd -d 'Share results between working directories'
complete -c memo -n "__fish_memo_using_subcommand why" -l no-auto -d 'Do not look at the files and directories that words of the command name'
complete -c memo -n "__fish_memo_using_subcommand why" -l no-exe -d 'Do not hash the program and its interpreter'
complete -c memo -n "__fish_memo_using_subcommand why" -l strict -d 'Do not keep a run that leaves other new files beside its declared outputs'
complete -c memo -n "__fish_memo_using_subcommand why" -l refresh -d 'Run in any case, and replace what is stored'
complete -c memo -n "__fish_memo_using_subcommand why" -l only-cached -d 'Do not run: exit 75 when nothing is stored'
complete -c memo -n "__fish_memo_using_subcommand why" -s v -l verbose -d 'Say hit or miss, and why'
complete -c memo -n "__fish_memo_using_subcommand why" -s q -l quiet -d 'Say nothing but errors'
complete -c memo -n "__fish_memo_using_subcommand why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand stats" -l since -d 'Count only from then on: 1h, 7d, 2026-01-31, 2026-01-31T12:00Z' -r
complete -c memo -n "__fish_memo_using_subcommand stats" -s g -l group -d 'Count only this group' -r
complete -c memo -n "__fish_memo_using_subcommand stats" -l json -d 'Print one JSON object'
complete -c memo -n "__fish_memo_using_subcommand stats" -l zero -d 'Begin to count anew, and print nothing'
complete -c memo -n "__fish_memo_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand gc" -l max-size -d 'Make the store no larger than this, this time: 500M, 2GiB' -r
complete -c memo -n "__fish_memo_using_subcommand gc" -l dry-run -d 'Only say what would be removed'
complete -c memo -n "__fish_memo_using_subcommand gc" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand doctor" -l fix -d 'Set it right'
complete -c memo -n "__fish_memo_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand config" -l json -d 'One JSON object for each key, and for each rule'
complete -c memo -n "__fish_memo_using_subcommand config" -l path -d 'Print where your own file is, whether it is there or not'
complete -c memo -n "__fish_memo_using_subcommand config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand completions" -l list -d 'Print the names of this kind that begin with PREFIX, one a line; behind a tab what it is' -r
complete -c memo -n "__fish_memo_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand help" -s h -l help -d 'Print help (see more with \'--help\')'

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
complete -c memo -x -n 'not __fish_memo_using_subcommand ls show clear stats gc doctor config completions help' -a '(__fish_memo_command_line)'
complete -c memo -x -n '__fish_memo_using_subcommand completions' -a 'bash elvish fish powershell zsh'
# Names that only the store knows: a group behind -g, a key where a subcommand takes one.
function __fish_memo_names
    command memo completions --list $argv[1] (commandline -ct | string replace -r '^(-g|--group=)' '') 2>/dev/null
end
complete -c memo -kx -n '__fish_memo_using_subcommand show clear; and not contains -- -- (commandline -opc)' -a '(__fish_memo_names keys)'
complete -c memo -n 'not __fish_memo_using_subcommand ls show clear stats gc doctor config completions help' -s g -l group -x -a '(__fish_memo_names groups)'
complete -c memo -n '__fish_memo_using_subcommand ls clear stats' -s g -l group -x -a '(__fish_memo_names groups)'
