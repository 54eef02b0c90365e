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
complete -c memo -n "__fish_memo_needs_command" -f -a "singleton" -d 'Keep one long-running process, and print how to reach it'
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
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -s i -l input -d 'This file, glob or directory, by content' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -s e -l env -d 'This environment variable' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -s k -l key -d 'This text' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l key-cmd -d 'What this shell command prints; it runs whenever somebody asks' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l dep-singleton -d 'Which process this other singleton is' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l ready-port -d 'It is ready when one of its processes listens on this port: 8080, [::1]:8080, \'$PORT\'' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l ready-unix -d 'It is ready when one of its processes listens on this socket' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l ready-http -d 'It is ready when this URL answers: \'http://localhost:$PORT/health\'' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l ready-status -d 'The statuses that count as an answer of --ready-http: 204, 200-299 (200-399)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l ready-log -d 'It is ready when it writes a line that this regular expression matches' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l ready-cmd -d 'It is ready when this shell command succeeds: \'pg_isready -p $PORT\'' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l ready-file -d 'It is ready when this file is there and not older than the process' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l port -d 'Give it a port in $PORT: this one, or `auto` for one that is free' -r -f -a "auto\t''"
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l timeout -d 'How long it may take until it is ready (60s)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l framing -d 'Let it answer calls, with requests and replies told apart so: line, json, lsp' -r -f -a "line\t''
json\t''
lsp\t''"
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l idle -d 'End it when nobody has used it for so long: 15m, none (15m where it answers calls, else none)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l ttl -d 'End it when it is this old and nobody uses it: 1d12h, none (none)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l check -d 'Replace it when this shell command fails; it runs before a process that is there is handed out' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l on-release -d 'Run this shell command once for each process that has gone, however it went' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l restart -d 'Start it again when it fails, without being asked: no, on-failure (no)' -r -f -a "no\t'It stays ended until somebody asks'
on-failure\t'It is started again'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l stop-signal -d 'The signal that asks it to end: INT, 2 (TERM)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l grace -d 'How long it may take to end before it is killed (10s)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l on-change -d 'When something it depends on has changed: replace, keep, fail (replace)' -r -f -a "replace\t'End it and start another'
keep\t'Use it all the same'
fail\t'Exit 75'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l busy -d 'While others use what is to be replaced: wait, fail, kill (wait)' -r -f -a "wait\t'Until nobody does'
fail\t'Exit 75'
kill\t'End it all the same'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l print -d 'What to print: addr, id, pid, port, log, state, env (addr)' -r -f -a "addr\t'Its address, else its id'
id\t'The id of the instance'
pid\t'The number of its process'
port\t'Its port'
log\t'The file it writes to'
state\t'The directory of its name, which outlives it'
env\t'All of that, for a shell to eval'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l no-cwd -d 'Not the directory it is asked for from'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l no-exe -d 'Not its program, nor the interpreter of that'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l global -d 'The name is good wherever you are, and not in this project alone'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l ready-notify -d 'It is ready when it says so: sd_notify(3)'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l survive-ci -d 'Hide it from CI systems that end what a job has left'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l force -d 'Replace it in any case, and start it even if it ended again and again'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l no-start -d 'Start nothing: exit 75 when it is not running'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -s v -l verbose -d 'Say what is done'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -s q -l quiet -d 'Say nothing but errors'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l json -d 'Print all that is known of it, as one JSON object'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -l foreground -d 'Stay, show what it writes, and end it on Ctrl-C'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -f -a "run" -d 'Hold a singleton while a command runs'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -f -a "call" -d 'Hand a singleton one request, and print its one reply'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -f -a "status" -d 'Say how a singleton is'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -f -a "ls" -d 'List the singletons of this project'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -f -a "stop" -d 'End a singleton'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -f -a "restart" -d 'End a singleton and start it again, as it was started'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -f -a "logs" -d 'Print what a singleton has written'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -f -a "wait" -d 'Wait until a singleton has ended, and exit as it did'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -f -a "id" -d 'Print the id of the instance that runs'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -f -a "why" -d 'Say what would become of a singleton that is asked for, and why'
complete -c memo -n "__fish_memo_using_subcommand singleton; and not __fish_seen_subcommand_from run call status ls stop restart logs wait id why gc" -f -a "gc" -d 'Remove what singletons that have ended left'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -s i -l input -d 'This file, glob or directory, by content' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -s e -l env -d 'This environment variable' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -s k -l key -d 'This text' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l key-cmd -d 'What this shell command prints; it runs whenever somebody asks' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l dep-singleton -d 'Which process this other singleton is' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l ready-port -d 'It is ready when one of its processes listens on this port: 8080, [::1]:8080, \'$PORT\'' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l ready-unix -d 'It is ready when one of its processes listens on this socket' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l ready-http -d 'It is ready when this URL answers: \'http://localhost:$PORT/health\'' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l ready-status -d 'The statuses that count as an answer of --ready-http: 204, 200-299 (200-399)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l ready-log -d 'It is ready when it writes a line that this regular expression matches' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l ready-cmd -d 'It is ready when this shell command succeeds: \'pg_isready -p $PORT\'' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l ready-file -d 'It is ready when this file is there and not older than the process' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l port -d 'Give it a port in $PORT: this one, or `auto` for one that is free' -r -f -a "auto\t''"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l timeout -d 'How long it may take until it is ready (60s)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l framing -d 'Let it answer calls, with requests and replies told apart so: line, json, lsp' -r -f -a "line\t''
json\t''
lsp\t''"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l idle -d 'End it when nobody has used it for so long: 15m, none (15m where it answers calls, else none)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l ttl -d 'End it when it is this old and nobody uses it: 1d12h, none (none)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l check -d 'Replace it when this shell command fails; it runs before a process that is there is handed out' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l on-release -d 'Run this shell command once for each process that has gone, however it went' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l restart -d 'Start it again when it fails, without being asked: no, on-failure (no)' -r -f -a "no\t'It stays ended until somebody asks'
on-failure\t'It is started again'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l stop-signal -d 'The signal that asks it to end: INT, 2 (TERM)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l grace -d 'How long it may take to end before it is killed (10s)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l on-change -d 'When something it depends on has changed: replace, keep, fail (replace)' -r -f -a "replace\t'End it and start another'
keep\t'Use it all the same'
fail\t'Exit 75'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l busy -d 'While others use what is to be replaced: wait, fail, kill (wait)' -r -f -a "wait\t'Until nobody does'
fail\t'Exit 75'
kill\t'End it all the same'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l exec -d 'The command that needs it, with its arguments' -r -f -a "(__fish_complete_command)"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l no-cwd -d 'Not the directory it is asked for from'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l no-exe -d 'Not its program, nor the interpreter of that'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l global -d 'The name is good wherever you are, and not in this project alone'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l ready-notify -d 'It is ready when it says so: sd_notify(3)'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l survive-ci -d 'Hide it from CI systems that end what a job has left'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l force -d 'Replace it in any case, and start it even if it ended again and again'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -l no-start -d 'Start nothing: exit 75 when it is not running'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Say what is done'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Say nothing but errors'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -s i -l input -d 'This file, glob or directory, by content' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -s e -l env -d 'This environment variable' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -s k -l key -d 'This text' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l key-cmd -d 'What this shell command prints; it runs whenever somebody asks' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l dep-singleton -d 'Which process this other singleton is' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l ready-port -d 'It is ready when one of its processes listens on this port: 8080, [::1]:8080, \'$PORT\'' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l ready-unix -d 'It is ready when one of its processes listens on this socket' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l ready-http -d 'It is ready when this URL answers: \'http://localhost:$PORT/health\'' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l ready-status -d 'The statuses that count as an answer of --ready-http: 204, 200-299 (200-399)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l ready-log -d 'It is ready when it writes a line that this regular expression matches' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l ready-cmd -d 'It is ready when this shell command succeeds: \'pg_isready -p $PORT\'' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l ready-file -d 'It is ready when this file is there and not older than the process' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l port -d 'Give it a port in $PORT: this one, or `auto` for one that is free' -r -f -a "auto\t''"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l timeout -d 'How long it may take until it is ready (60s)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l framing -d 'Let it answer calls, with requests and replies told apart so: line, json, lsp' -r -f -a "line\t''
json\t''
lsp\t''"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l idle -d 'End it when nobody has used it for so long: 15m, none (15m where it answers calls, else none)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l ttl -d 'End it when it is this old and nobody uses it: 1d12h, none (none)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l check -d 'Replace it when this shell command fails; it runs before a process that is there is handed out' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l on-release -d 'Run this shell command once for each process that has gone, however it went' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l restart -d 'Start it again when it fails, without being asked: no, on-failure (no)' -r -f -a "no\t'It stays ended until somebody asks'
on-failure\t'It is started again'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l stop-signal -d 'The signal that asks it to end: INT, 2 (TERM)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l grace -d 'How long it may take to end before it is killed (10s)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l on-change -d 'When something it depends on has changed: replace, keep, fail (replace)' -r -f -a "replace\t'End it and start another'
keep\t'Use it all the same'
fail\t'Exit 75'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l busy -d 'While others use what is to be replaced: wait, fail, kill (wait)' -r -f -a "wait\t'Until nobody does'
fail\t'Exit 75'
kill\t'End it all the same'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l reply-timeout -d 'How long the reply may take; then exit 124 (for ever)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l no-cwd -d 'Not the directory it is asked for from'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l no-exe -d 'Not its program, nor the interpreter of that'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l global -d 'The name is good wherever you are, and not in this project alone'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l ready-notify -d 'It is ready when it says so: sd_notify(3)'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l survive-ci -d 'Hide it from CI systems that end what a job has left'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l force -d 'Replace it in any case, and start it even if it ended again and again'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -l no-start -d 'Start nothing: exit 75 when it is not running'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -s v -l verbose -d 'Say what is done'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -s q -l quiet -d 'Say nothing but errors'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from call" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from status" -s i -l input -d 'This file, glob or directory, by content' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from status" -s e -l env -d 'This environment variable' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from status" -s k -l key -d 'This text' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from status" -l key-cmd -d 'What this shell command prints; it runs whenever somebody asks' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from status" -l dep-singleton -d 'Which process this other singleton is' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from status" -l no-cwd -d 'Not the directory it is asked for from'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from status" -l no-exe -d 'Not its program, nor the interpreter of that'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from status" -l global -d 'The name is good wherever you are, and not in this project alone'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from status" -l json -d 'Print it as one JSON object'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from ls" -l global -d 'Those of --global instead'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from ls" -l everywhere -d 'Those of all projects'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from ls" -s a -l all -d 'Those too that have ended'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from ls" -l json -d 'Print one JSON object for each'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -s i -l input -d 'This file, glob or directory, by content' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -s e -l env -d 'This environment variable' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -s k -l key -d 'This text' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -l key-cmd -d 'What this shell command prints; it runs whenever somebody asks' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -l dep-singleton -d 'Which process this other singleton is' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -l instance -d 'Only if it is this instance' -r
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -l grace -d 'How long it may take to end before it is killed (as it was started with)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -l busy -d 'While others use it: wait, fail, kill (kill)' -r -f -a "wait\t'Until nobody does'
fail\t'Exit 75'
kill\t'End it all the same'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -l no-cwd -d 'Not the directory it is asked for from'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -l no-exe -d 'Not its program, nor the interpreter of that'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -l global -d 'The name is good wherever you are, and not in this project alone'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -l all -d 'All of this project; with --global all of those'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -l everywhere -d 'With --all: those of all projects, and of --global'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -s q -l quiet -d 'Say nothing but errors'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from restart" -s i -l input -d 'This file, glob or directory, by content' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from restart" -s e -l env -d 'This environment variable' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from restart" -s k -l key -d 'This text' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from restart" -l key-cmd -d 'What this shell command prints; it runs whenever somebody asks' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from restart" -l dep-singleton -d 'Which process this other singleton is' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from restart" -l timeout -d 'How long it may take until it is ready (60s)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from restart" -l busy -d 'While others use it: wait, fail, kill (wait)' -r -f -a "wait\t'Until nobody does'
fail\t'Exit 75'
kill\t'End it all the same'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from restart" -l no-cwd -d 'Not the directory it is asked for from'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from restart" -l no-exe -d 'Not its program, nor the interpreter of that'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from restart" -l global -d 'The name is good wherever you are, and not in this project alone'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from restart" -s q -l quiet -d 'Say nothing but errors'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from restart" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from logs" -s i -l input -d 'This file, glob or directory, by content' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from logs" -s e -l env -d 'This environment variable' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from logs" -s k -l key -d 'This text' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from logs" -l key-cmd -d 'What this shell command prints; it runs whenever somebody asks' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from logs" -l dep-singleton -d 'Which process this other singleton is' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from logs" -s n -l lines -d 'The last lines only' -r
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from logs" -l no-cwd -d 'Not the directory it is asked for from'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from logs" -l no-exe -d 'Not its program, nor the interpreter of that'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from logs" -l global -d 'The name is good wherever you are, and not in this project alone'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Go on, with what it writes from now on, until it ends'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from logs" -l previous -d 'What the instance before has written, the last 8 MiB of it'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from wait" -s i -l input -d 'This file, glob or directory, by content' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from wait" -s e -l env -d 'This environment variable' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from wait" -s k -l key -d 'This text' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from wait" -l key-cmd -d 'What this shell command prints; it runs whenever somebody asks' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from wait" -l dep-singleton -d 'Which process this other singleton is' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from wait" -l timeout -d 'How long at most; then exit 124' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from wait" -l no-cwd -d 'Not the directory it is asked for from'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from wait" -l no-exe -d 'Not its program, nor the interpreter of that'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from wait" -l global -d 'The name is good wherever you are, and not in this project alone'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from wait" -l ready -d 'Wait until it is ready instead'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from id" -s i -l input -d 'This file, glob or directory, by content' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from id" -s e -l env -d 'This environment variable' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from id" -s k -l key -d 'This text' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from id" -l key-cmd -d 'What this shell command prints; it runs whenever somebody asks' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from id" -l dep-singleton -d 'Which process this other singleton is' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from id" -l no-cwd -d 'Not the directory it is asked for from'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from id" -l no-exe -d 'Not its program, nor the interpreter of that'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from id" -l global -d 'The name is good wherever you are, and not in this project alone'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from id" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -s i -l input -d 'This file, glob or directory, by content' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -s e -l env -d 'This environment variable' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -s k -l key -d 'This text' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l key-cmd -d 'What this shell command prints; it runs whenever somebody asks' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l dep-singleton -d 'Which process this other singleton is' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l ready-port -d 'It is ready when one of its processes listens on this port: 8080, [::1]:8080, \'$PORT\'' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l ready-unix -d 'It is ready when one of its processes listens on this socket' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l ready-http -d 'It is ready when this URL answers: \'http://localhost:$PORT/health\'' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l ready-status -d 'The statuses that count as an answer of --ready-http: 204, 200-299 (200-399)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l ready-log -d 'It is ready when it writes a line that this regular expression matches' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l ready-cmd -d 'It is ready when this shell command succeeds: \'pg_isready -p $PORT\'' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l ready-file -d 'It is ready when this file is there and not older than the process' -r -F
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l port -d 'Give it a port in $PORT: this one, or `auto` for one that is free' -r -f -a "auto\t''"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l timeout -d 'How long it may take until it is ready (60s)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l framing -d 'Let it answer calls, with requests and replies told apart so: line, json, lsp' -r -f -a "line\t''
json\t''
lsp\t''"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l idle -d 'End it when nobody has used it for so long: 15m, none (15m where it answers calls, else none)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l ttl -d 'End it when it is this old and nobody uses it: 1d12h, none (none)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l check -d 'Replace it when this shell command fails; it runs before a process that is there is handed out' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l on-release -d 'Run this shell command once for each process that has gone, however it went' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l restart -d 'Start it again when it fails, without being asked: no, on-failure (no)' -r -f -a "no\t'It stays ended until somebody asks'
on-failure\t'It is started again'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l stop-signal -d 'The signal that asks it to end: INT, 2 (TERM)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l grace -d 'How long it may take to end before it is killed (10s)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l on-change -d 'When something it depends on has changed: replace, keep, fail (replace)' -r -f -a "replace\t'End it and start another'
keep\t'Use it all the same'
fail\t'Exit 75'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l busy -d 'While others use what is to be replaced: wait, fail, kill (wait)' -r -f -a "wait\t'Until nobody does'
fail\t'Exit 75'
kill\t'End it all the same'"
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l no-cwd -d 'Not the directory it is asked for from'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l no-exe -d 'Not its program, nor the interpreter of that'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l global -d 'The name is good wherever you are, and not in this project alone'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l ready-notify -d 'It is ready when it says so: sd_notify(3)'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l survive-ci -d 'Hide it from CI systems that end what a job has left'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l force -d 'Replace it in any case, and start it even if it ended again and again'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l no-start -d 'Start nothing: exit 75 when it is not running'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -s v -l verbose -d 'Say what is done'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -s q -l quiet -d 'Say nothing but errors'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -l json -d 'Print it as one JSON object'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from gc" -l older-than -d 'Only of those that ended so long ago: 0, 30d (7d)' -r -f
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from gc" -l state -d 'What is kept in $MEMO_STATE too'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from gc" -l dry-run -d 'Say what would go, and remove nothing'
complete -c memo -n "__fish_memo_using_subcommand singleton; and __fish_seen_subcommand_from gc" -s h -l help -d 'Print help (see more with \'--help\')'
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
    if contains -- "$words[1]" run call status ls stop restart logs wait id why gc
        set subcommand $words[1]
        set -e words[1]
    end
    while set -q words[1]
        set -l word $words[1]
        set -e words[1]
        if test "$word" = --; or test "$word" = --exec
            printf '%s\n' command $words
            return
        else if contains -- $word --busy --check --dep-singleton --env --framing --grace --idle --input --instance --key --key-cmd --lines --older-than --on-change --on-release --port --print --ready-cmd --ready-file --ready-http --ready-log --ready-port --ready-status --ready-unix --reply-timeout --restart --stop-signal --timeout --ttl -e -i -k -n
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
complete -c memo -x -n 'not __fish_memo_using_subcommand singleton ls show clear stats gc doctor config completions help' -a '(__fish_memo_command_line)'
complete -c memo -x -n '__fish_memo_using_subcommand completions' -a 'bash elvish fish powershell zsh'
# Names that only memo knows: a group behind -g, a singleton, a key where a subcommand takes one.
function __fish_memo_names
    command memo completions --list $argv[1] (commandline -ct | string replace -r '^(-g|--group=|--dep-singleton=)' '') 2>/dev/null
end
complete -c memo -kx -n '__fish_memo_using_subcommand show clear; and not contains -- -- (commandline -opc)' -a '(__fish_memo_names keys)'
complete -c memo -n 'not __fish_memo_using_subcommand singleton ls show clear stats gc doctor config completions help' -s g -l group -x -a '(__fish_memo_names groups)'
complete -c memo -n '__fish_memo_using_subcommand ls clear stats' -s g -l group -x -a '(__fish_memo_names groups)'
complete -c memo -n 'not __fish_memo_using_subcommand singleton ls show clear stats gc doctor config completions help' -l dep-singleton -x -a '(__fish_memo_names any-singletons)'
complete -c memo -n '__fish_memo_using_subcommand singleton; and not __fish_memo_subcommand_of_singleton ls gc' -l dep-singleton -x -a '(__fish_memo_names any-singletons)'
complete -c memo -x -n '__fish_memo_at_of_singleton name; and not contains -- --global (commandline -opc)' -a '(__fish_memo_names singletons)'
complete -c memo -x -n '__fish_memo_at_of_singleton name; and contains -- --global (commandline -opc)' -a '(__fish_memo_names global-singletons)'
complete -c memo -x -n '__fish_memo_at_of_singleton command' -a '(__fish_memo_command_of_singleton)'
complete -c memo -n '__fish_memo_subcommand_of_singleton run' -l exec -x -a '(__fish_memo_command_of_singleton)'
