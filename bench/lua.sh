#!/usr/bin/env bash
# Builds Lua by a Makefile with memo before the compiler, counts how often the compiler really ran, and
# measures the warm build against that of ccache.
#
#   bench/lua.sh             keeps the results in bench/runs/DATE-MACHINE/lua.md, lua.csv
#   bench/lua.sh --trial     prints them only: for a machine that has other things to do
#
# The counts are exact, and one that is not ends the bench. The times are medians of builds that take
# turns with each other, pair by pair, the one that goes first changing each time. ccache is used as it comes.
#
# Exit status: 0 when every bound holds, 1 when one does not, 2 when something is missing.
# shellcheck disable=SC2016 # `$@` and `$*` are meant for make.
set -euo pipefail

readonly LUA_SRC=547.0.0 LUA=lua-5.4.7 PAIRS=40 COLD_PAIRS=3

trial=
case "${1-}" in
'') ;;
--trial) trial=1 ;;
*)
    echo "usage: bench/lua.sh [--trial]" >&2
    exit 2
    ;;
esac

say() { printf 'bench: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 2
}

cd "$(dirname "$0")/.."
repository=$PWD

missing=0
# need COMMAND HOW
need() {
    if ! command -v "$1" >/dev/null; then
        say "\`$1\` is missing: $2"
        missing=1
    fi
}
need cargo 'install Rust'
need cc '`apt-get install gcc`'
need make '`apt-get install make`'
need ccache '`apt-get install ccache`'
need hyperfine '`apt-get install hyperfine`, or `cargo install hyperfine --locked`'
[ "$missing" = 0 ] || exit 2

say 'building memo'
cargo build --release --locked --quiet
host=$(rustc -vV | sed -n 's/^host: //p')
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
memo=$target/$host/release/memo
[ -x "$memo" ] || die "the build left no \`$memo\`"

work=$(mktemp -d "$target/lua.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# As `cargo install` leaves it; see run.sh.
cp "$memo" "$work/memo"
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || commit=$commit-changed

cd "$work"
say "fetching lua-src $LUA_SRC"
# A workspace of its own, so that cargo does not look for one above.
cargo init --quiet --vcs none --name sources fetched
sed -i '/^\[dependencies\]/d' fetched/Cargo.toml
printf '\n[dependencies]\nlua-src = "=%s"\n\n[workspace]\n' "$LUA_SRC" >>fetched/Cargo.toml
cargo vendor --quiet --manifest-path fetched/Cargo.toml vendored >/dev/null 2>&1 || die 'cargo cannot fetch lua-src'
for side in counted ours theirs; do
    cp -r "vendored/lua-src/$LUA" "$side"
    cp "$repository/bench/lua.mk" "$side/Makefile"
done
files=$(find ours -name '*.c' | wc -l)

# No configuration and no variable of the user's decides what is measured.
for name in $(compgen -e MEMO_) $(compgen -e CCACHE_) MAKEFLAGS MFLAGS MAKELEVEL; do unset "$name"; done
mkdir home
export HOME=$work/home PATH=$work:/usr/local/bin:/usr/bin:/bin CCACHE_DIR=$work/ccached
unset XDG_CACHE_HOME XDG_CONFIG_HOME
exec </dev/null
with_memo='memo --depfile $*.d -o $@'
# Files younger than two seconds are hashed at every call: their times cannot be trusted yet.
sleep 3

# --- How often the compiler runs --------------------------------------------------------------------

: >table
line() { printf '%s\n' "$1" | tee -a table; }

cat >counted-cc <<EOF
#!/bin/sh
echo . >>$work/runs
exec cc "\$@"
EOF
chmod +x counted-cc

# counts WHAT RUNS CHANGE: after the change, so many runs, and then nothing is left to do.
counts() {
    : >runs
    (cd counted && eval "$3")
    MEMO_DIR=$work/counts make -C counted -s -j2 objects CC=counted-cc WITH="$with_memo"
    local runs
    runs=$(wc -l <runs)
    line "| $1 | $runs | $2 |"
    [ "$runs" = "$2" ] || die "$1: $runs runs instead of $2"
    make -C counted -q objects CC=counted-cc WITH="$with_memo" || die "$1: make would build again"
}

say 'counting'
line "| \`make -j2\`, $files files | runs of the compiler | must be |"
line '|---|---|---|'
counts 'cold' "$files" :
counts 'again' 0 :
counts 'after `make clean`' 0 'make -s clean'
counts 'after touching every file' 0 'touch -- *'
dependents=$(cd counted && grep -l 'lopcodes\.h' -- *.d | wc -l)
if [ "$dependents" -le 1 ] || [ "$dependents" -ge "$files" ]; then
    die "lopcodes.h is in $dependents of $files"
fi
counts 'after changing `lopcodes.h`' "$dependents" 'echo "/* changed */" >>lopcodes.h'
counts 'after changing it back' 0 'sed -i "\$d" lopcodes.h'
counts 'after `make clean` then' 0 'make -s clean'

# --- How long it takes ------------------------------------------------------------------------------

ours="make -C ours -s -j2 objects 'WITH=$with_memo'"
theirs="make -C theirs -s -j2 objects WITH=ccache"
export MEMO_DIR=$work/store

# seconds PREPARE COMMAND: how long one run of it took.
seconds() {
    hyperfine -N --style none --runs 1 --prepare "$1" --export-csv times.csv "$2" >said 2>&1 || die "\`$2\`: $(cat said)"
    LC_ALL=C awk -F, 'NR == 2 { print $4 }' times.csv
}
middle() { LC_ALL=C sort -g | LC_ALL=C awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

broken=0
echo 'work,pair,memo in s,ccache in s' >lua.csv
# pairs WORK BOUND PAIRS PREPARE OTHER_PREPARE
pairs() {
    local pair a b verdict='' ratio
    : >a
    : >b
    for ((pair = 1; pair <= $3; pair++)); do
        if ((pair % 2)); then
            a=$(seconds "$4" "$ours")
            b=$(seconds "$5" "$theirs")
        else
            b=$(seconds "$5" "$theirs")
            a=$(seconds "$4" "$ours")
        fi
        echo "$a" >>a
        echo "$b" >>b
        echo "$1,$pair,$a,$b" >>lua.csv
    done
    a=$(middle <a)
    b=$(middle <b)
    ratio=$(LC_ALL=C awk -v a="$a" -v b="$b" 'BEGIN { printf "%.3f", a / b }')
    if [ -n "$2" ]; then
        verdict=$(LC_ALL=C awk -v m="$ratio" -v b="$2" 'BEGIN { print (m <= b) ? "yes" : "**no**" }')
        [ "$verdict" = yes ] || broken=1
    fi
    line "| $1 | $2 | $ratio | $verdict | $(LC_ALL=C awk -v a="$a" -v b="$b" 'BEGIN { printf "%.1f ms, %.1f ms", a * 1000, b * 1000 }') |"
}

load=$(cut -d' ' -f1 /proc/loadavg)
say "measuring (load $load)"
line ''
line '| work | bound | measured | holds | medians: memo, ccache |'
line '|---|---|---|---|---|'
pairs 'cold build : that with ccache' '' "$COLD_PAIRS" \
    "sh -c 'make -C ours -s clean; rm -rf store'" "sh -c 'make -C theirs -s clean; rm -rf ccached'"
# What is measured below shall be hits: filled once more, now that all files are old.
make -C ours -s clean
eval "$ours"
make -C theirs -s clean
eval "$theirs"
make -C ours -s clean
make -C ours -s -j2 objects WITH="memo -v ${with_memo#memo }" 2>said
[ "$(grep -c '^memo: hit' said)" = "$files" ] || die "memo does not hit: $(grep -v '^memo: hit' said | head -1)"
ccache -z >/dev/null
pairs 'warm build after `make clean` : that with ccache' 1.00 "$PAIRS" 'make -C ours -s clean' 'make -C theirs -s clean'
misses=$(ccache --print-stats | awk '$1 == "cache_miss" { print $2 }')
[ "$misses" = 0 ] || die "ccache missed $misses times"

model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)
slug=$(printf '%s' "${model:-$(uname -m)}" | tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9' '-' | sed 's/^-*//; s/-*$//')
{
    printf '# %s, %s\n\n' "$(date +%F)" "${model:-$(uname -m)}"
    printf -- '* %s processors, Linux %s, %s\n' "$(nproc)" "$(uname -r)" "$(stat -f -c %T "$work")"
    printf -- '* memo %s, %s, %s, %s, lua-src %s (%s)\n' "$commit" "$(ccache --version | head -1)" \
        "$(cc --version | head -1)" "$(make --version | head -1)" "$LUA_SRC" "$LUA"
    printf -- '* load when the measuring began: %s\n\n' "$load"
    cat table
} >lua.md

if [ -n "$trial" ]; then
    say 'a trial: nothing kept'
else
    runs=$repository/bench/runs/$(date +%F)-$slug
    mkdir -p "$runs"
    cp lua.md lua.csv "$runs/"
    say "kept in ${runs#"$repository"/}"
fi
if [ "$broken" = 0 ]; then say 'every bound holds'; else say 'not every bound holds'; fi
exit "$broken"
