#!/usr/bin/env bash
# Takes screens of memo in a terminal (tmux) and keeps them as text in docs/screens/: to be looked at.
#
#   docs/screens/take.sh              takes all of them
#   docs/screens/take.sh ls show      takes those of these functions, `screens_ls` and `screens_show`
#
# To add one: a function `screens_NAME` below that records what is to be seen and calls
# `take FILE COLUMNS ROWS COMMAND`, once for each screen. Each function begins with an empty store in an empty
# directory. Ages, durations and keys differ from one time to the next.
# shellcheck disable=SC2016 # What is in single quotes is for other shells, or for the reader.
set -euo pipefail

# --- What there is to see ---------------------------------------------------------------------------

screens_ls() {
    record_some
    take ls-80 80 14 'memo ls'
    take ls-140 140 14 'memo ls'
    take ls-40 40 14 'memo ls --sort saved'
}

screens_show() {
    record_some
    take show-80 80 32 'memo show $(memo ls --json -n 1 app.o | cut -c 9-16)'
    take show-wrong-80 80 12 'memo show --output nosuch.o $(memo ls --json -n 1 app.o | cut -c 9-16)'
}

# --- What is recorded for that ----------------------------------------------------------------------

# A few calls as people make them.
record_some() {
    mkdir src 文書
    printf 'int main(void) { return 0; }\n' >src/app.c
    seq 100000 >numbers
    memo --ttl 1h -- ls src >/dev/null
    for _ in 1 2 3; do memo -o build/app.o cc -c src/app.c -o build/app.o -O2 -Wall -Wextra -DVERSION=\"1.2.3\" 2>/dev/null || mkdir -p build; done
    for _ in 1 2; do memo sort -R numbers >/dev/null; done
    memo --cache-exit 0-1 grep -c nothing numbers >/dev/null || true
    memo LC_ALL=C sh -c 'sleep 0.4; wc -c numbers src/app.c; echo "a warning" >&2' >/dev/null 2>&1
    memo -- ls 文書 $'odd\e[31mname\n' >/dev/null 2>&1 || true
    memo --cache-exit 0-2 -- ls 文書 $'odd\e[31mname\n' >/dev/null 2>&1 || true
}

# --- How --------------------------------------------------------------------------------------------

# take FILE COLUMNS ROWS COMMAND: what a terminal of this size shows when COMMAND has ended.
take() {
    local file=$screens/$1.txt
    # A server of its own: the one before may still be on its way out.
    server=memo-screens-$$-$1
    # The prompt would be the user's; the command is shown behind one of our own.
    printf '%s\n' "$4" >"$work/command"
    tmux -L "$server" -f /dev/null new-session -d -x "$2" -y "$3" \
        "bash --norc --noprofile -c 'printf \"$ %s\n\" \"\$(cat \"\$1\")\"; . \"\$1\"; tmux -L $server wait-for -S shown; read -r' screen '$work/command'"
    tmux -L "$server" wait-for shown
    # Without the rows that nothing was written to.
    tmux -L "$server" capture-pane -p | sed -e "s|$work|/home/me|" -e :a -e '/^\n*$/{$d;N;ba' -e '}' >"$file"
    tmux -L "$server" kill-server
    server=
    printf 'screens: %s\n' "${file#"$repository"/}" >&2
}

screens=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$screens/../.." && pwd)
command -v tmux >/dev/null || { echo 'screens: `tmux` is missing: `apt-get install tmux`' >&2; exit 2; }
cd "$repository"
cargo build --locked --quiet
host=$(rustc -vV | sed -n 's/^host: //p')
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || tmux -L "$server" kill-server 2>/dev/null || true; rm -rf "$work"' EXIT
# No configuration and no variable of the user's decides what is seen.
for name in $(compgen -e MEMO_) NO_COLOR CLICOLOR CLICOLOR_FORCE XDG_CACHE_HOME XDG_CONFIG_HOME TMUX; do unset "$name"; done
export PATH=$target/$host/debug:$PATH HOME=$work/home MEMO_DIR=$work/store LC_ALL=C.UTF-8
names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(declare -F | sed -n 's/^declare -f screens_//p')
for name in "${names[@]}"; do
    rm -rf "$MEMO_DIR" "$work/here" "$HOME"
    mkdir -p "$work/here" "$HOME"
    cd "$work/here"
    "screens_$name"
done
