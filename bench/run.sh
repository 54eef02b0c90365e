#!/usr/bin/env bash
# Measures memo against cat, true, bkt, tee, cp and b3sum, and says which of the promised bounds hold.
#
#   bench/run.sh             keeps the results in bench/runs/DATE-MACHINE/
#   bench/run.sh --trial     prints them only: for a machine that has other things to do
#
# Every number is a ratio from one run: of the medians of two sides that are measured in turns, round by
# round, the one that goes first changing each time. So what drifts (clock speed, page cache, other load)
# meets both sides. The locale stays as it is: loading one is part of what `cat` and its like do.
#
# Exit status: 0 when every bound holds, 1 when one does not, 2 when something is missing.
# shellcheck disable=SC2016 # Backticks in single quotes are meant for the reader.
set -euo pipefail

readonly BKT_VERSION=0.8.2
readonly GB=1000000000

trial=
case "${1-}" in
'') ;;
--trial) trial=1 ;;
*)
    echo "usage: bench/run.sh [--trial]" >&2
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

# --- What is needed ---------------------------------------------------------------------------------

missing=0
# need COMMAND HOW
need() {
    if ! command -v "$1" >/dev/null; then
        say "\`$1\` is missing: $2"
        missing=1
    fi
}
need cargo 'install Rust'
need hyperfine '`apt-get install hyperfine`, or `cargo install hyperfine --locked`'
need strace '`apt-get install strace`'
need b3sum '`apt-get install b3sum`, or `cargo install b3sum --locked`'
need bkt "\`cargo install bkt --locked --version $BKT_VERSION\`"
[ "$missing" = 0 ] || exit 2
case "$(bkt --version)" in
*" $BKT_VERSION") ;;
*) die "this is $(bkt --version); the bounds are about $BKT_VERSION: \`cargo install bkt --locked --version $BKT_VERSION\`" ;;
esac

say 'building'
cargo build --release --locked --quiet
host=$(rustc -vV | sed -n 's/^host: //p')
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
memo=$target/$host/release/memo
[ -x "$memo" ] || die "the build left no \`$memo\`"

# --- A place of its own -----------------------------------------------------------------------------

work=$(mktemp -d "$target/bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
case "$work" in *[[:space:]\'\"\\]*) die "\`$work\` has characters that hyperfine would have to be told about" ;; esac
free=$(df -Pk "$work" | awk 'NR == 2 { print $4 }')
[ "$free" -gt 8000000 ] || die "8 GB of disk are needed below \`$target\`"

# As `cargo install` leaves it: what the linker wrote through a mapping lies in the page cache in small pieces
# and starts 0.15 ms later than a copy of it.
cp "$memo" "$work/memo"
memo=$work/memo

hyperfine=$(command -v hyperfine) b3sum=$(command -v b3sum) bkt=$(command -v bkt)
misses=$repository/bench/misses.sh at_once=$repository/bench/at-once.sh
# Linked as memo is.
read -ra flags <<<"${RUSTFLAGS--C target-feature=+crt-static -C relocation-model=static}"
for program in stat peak; do
    rustc --edition 2024 -O "${flags[@]}" -o "$work/$program" "bench/$program.rs"
done
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || commit=$commit-changed
rust=$(rustc --version | cut -d' ' -f2)

cd "$work"
# No configuration and no variable of the user's decides what is measured.
for name in $(compgen -e MEMO_) $(compgen -e BKT_); do unset "$name"; done
mkdir home
export HOME=$work/home BKT_CACHE_DIR=$work/bkt MEMO_DIR=$work/store PATH=/usr/local/bin:/usr/bin:/bin
unset XDG_CACHE_HOME XDG_CONFIG_HOME
cat=$(command -v cat) true=/bin/true

# --- What is measured with --------------------------------------------------------------------------

say 'making files'
printf 'hello world\n' >twelve
head -c 1000000 /dev/urandom >megabyte
head -c 200000000 /dev/urandom >large
head -c "$GB" /dev/urandom >gigabyte
mkdir many
(cd many && seq -w 1000 | while read -r number; do echo "$number" >"file$number"; done)
mkdir small
(cd small && seq -w 10000 | while read -r number; do echo "$number" >"file$number"; done)
printf 'many/%s\n' $(seq -f 'file%04g' 1000) >list
# Younger files are hashed at every call: their times cannot be trusted yet.
sleep 3

say 'recording'
exec </dev/null
many_store=$work/store-10k
seq 10000 | MEMO_DIR=$many_store xargs -P "$(nproc)" -I{} "$memo" -k {} true >/dev/null 2>&1
echo 0 >memo-counter
echo 0 >bkt-counter

# median STORE RUNS PREPARE COMMAND: the median of its times, in seconds.
median() {
    local before=()
    [ -z "$3" ] || before=(--prepare "$3")
    MEMO_DIR=$1 "$hyperfine" -N --style none --warmup "$(($2 > 20 ? 20 : 1))" --runs "$2" "${before[@]}" \
        --command-name x --export-csv times.csv "$4" >said 2>&1 || die "\`$4\`: $(cat said)"
    LC_ALL=C awk -F, 'NR == 2 { print $4 }' times.csv
}

# must_hit STORE ARG...: stops the bench where a miss would be measured for a hit.
must_hit() {
    local store=$1
    shift
    MEMO_DIR=$store "$memo" "$@" >/dev/null 2>&1
    MEMO_DIR=$store "$memo" -v "$@" 2>said | "$cat" >/dev/null
    grep -q '^memo: hit' said || die "\`memo $*\` does not hit: $(head -1 said)"
}

broken=0
: >table
echo 'work,round,memo in s,the other in s' >rounds.csv
line() {
    printf '%s\n' "$1" | tee -a table
}
# judge WORK BOUND MEASURED TIMES
judge() {
    local verdict
    verdict=$(LC_ALL=C awk -v m="$3" -v b="$2" 'BEGIN { print (m <= b) ? "yes" : "**no**" }')
    [ "$verdict" = yes ] || broken=1
    line "| $1 | $2 | $3 | $verdict | $4 |"
}
# middle FORMAT FACTOR: the median of the numbers on stdin, times FACTOR.
middle() {
    LC_ALL=C sort -g | LC_ALL=C awk -v format="$1" -v factor="$2" '{ v[NR] = $1 }
        END { printf format, factor * (NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2) }'
}

# row WORK BOUND ROUNDS RUNS MEMO_COMMAND OTHER_COMMAND [STORE OTHER_STORE PREPARE OTHER_PREPARE]
row() {
    local work=$1 bound=$2 rounds=$3 runs=$4 ours=$5 theirs=$6
    local store=${7:-$MEMO_DIR} other_store=${8:-$MEMO_DIR} prepare=${9-} other_prepare=${10-}
    local round a b
    : >a
    : >b
    for ((round = 1; round <= rounds; round++)); do
        if ((round % 2)); then
            a=$(median "$store" "$runs" "$prepare" "$ours")
            b=$(median "$other_store" "$runs" "$other_prepare" "$theirs")
        else
            b=$(median "$other_store" "$runs" "$other_prepare" "$theirs")
            a=$(median "$store" "$runs" "$prepare" "$ours")
        fi
        echo "$a" >>a
        echo "$b" >>b
        echo "$work,$round,$a,$b" >>rounds.csv
    done
    a=$(middle %.9f 1 <a)
    b=$(middle %.9f 1 <b)
    judge "$work" "$bound" "$(LC_ALL=C awk -v a="$a" -v b="$b" 'BEGIN { printf "%.3f", a / b }')" \
        "$(LC_ALL=C awk -v a="$a" -v b="$b" 'BEGIN { printf "%.2f ms, %.2f ms", a * 1000, b * 1000 }')"
}

# --- The table --------------------------------------------------------------------------------------

load=$(cut -d' ' -f1 /proc/loadavg)
say "measuring (load $load)"
line '| work | bound | measured | holds | medians: memo, the other |'
line '|---|---|---|---|---|'

must_hit "$MEMO_DIR" echo hello world
"$bkt" --ttl=1d -- echo hello world >/dev/null
hit="$memo echo hello world"
row 'hit of 12 bytes : `cat` of them' 0.90 10 100 "$hit" "$cat twelve"
row 'hit of 12 bytes : hit of bkt' 0.75 10 100 "$hit" "$bkt --ttl=1d -- echo hello world"
row 'hit of 12 bytes : `true`' 1.30 10 100 "$hit" "$true"
must_hit "$many_store" echo hello world
row 'hit among 10 000 entries : hit of the only one' 1.05 10 100 "$hit" "$hit" "$many_store"

for size in megabyte large; do
    must_hit "$MEMO_DIR" cat "$size"
done
row 'hit of 1 MB into a pipe : `cat FILE | cat`' 1.30 10 50 \
    "sh -c '$memo cat megabyte | $cat'" "sh -c '$cat megabyte | $cat'"
row 'hit of 200 MB into a pipe : `cat FILE | cat`' 1.20 7 3 \
    "sh -c '$memo cat large | $cat'" "sh -c '$cat large | $cat'"

must_hit "$MEMO_DIR" -i 'many/*' true
must_hit "$MEMO_DIR" -i many true
row "hit with 1 000 inputs, \`-i 'DIR/*'\` : a program that stats them" 2.00 10 50 \
    "$memo -i 'many/*' true" "$work/stat list"
row 'hit with 1 000 inputs, `-i DIR` : a program that stats them' 2.00 10 50 \
    "$memo -i many true" "$work/stat list"

row '`memo why` of that hit : the hit' 1.50 10 50 "$memo why -i many true" "$memo -i many true"

row '100 misses of `true` : as many of bkt' 1.00 8 2 \
    "$misses memo-counter 100 $memo true" "$misses bkt-counter 100 $bkt --ttl=1d -- true"

stream="head -c $GB /dev/zero"
row 'miss of 1 GB through a pipe : `tee FILE`' 1.20 5 1 \
    "sh -c '$memo $stream | $cat'" "sh -c '$stream | tee copy | $cat'" \
    "$work/stream" "$work/stream" "rm -rf $work/stream copy" "rm -rf $work/stream copy"
rm -rf stream copy
# shellcheck disable=SC2086 # The command's words are to be split.
MEMO_DIR=$work/stream ./peak peak-kib "$memo" $stream | "$cat" >/dev/null
rm -rf stream
judge 'memory of memo in that miss, MiB' 16 "$(middle %.1f 0.0009765625 <peak-kib)" ''

# New is what memo has not seen yet. A file younger than the racy guard of two seconds would be hashed once more
# after the run, for its times cannot be trusted.
row 'run of `true` with a new input of 1 GB : `b3sum`' 1.20 7 1 \
    "$memo --refresh -i gigabyte true" "$b3sum gigabyte" "$MEMO_DIR" "$MEMO_DIR" 'sh -c "touch gigabyte; sleep 2.5"' true

copying=(-o restored cp --reflink=never gigabyte restored)
must_hit "$work/copies" "${copying[@]}"
row 'output file of 1 GB put back : `cp --reflink=never`' 2.20 5 1 \
    "$memo ${copying[*]}" "cp --reflink=never gigabyte copied" \
    "$work/copies" "$work/copies" "rm -f restored copied" "rm -f restored copied"

# A directory is no output yet: each of the files is declared. The command makes room for itself, as `cp -a` has.
mapfile -t declared < <(seq -f '-o=again/file%05g' 10000)
mkdir again
must_hit "$work/copies" "${declared[@]}" sh -c 'cp -a small/. again'
printf '#!/bin/sh\nexec %s %s sh -c "cp -a small/. again"\n' "$memo" "${declared[*]}" >restore
chmod +x restore
row '10 000 small output files put back : `cp -a`' 2.00 3 1 "$work/restore" 'cp -a small/. again' \
    "$work/copies" "$work/copies" "sh -c 'rm -rf again; mkdir again'" "sh -c 'rm -rf again; mkdir again'"
rm -rf again

# --- Many at once -----------------------------------------------------------------------------------

row '50 hits of 12 bytes at once : 50 `cat` of them' 1.00 10 10 "$at_once 50 $hit" "$at_once 50 $cat twelve"
# A lock that is asked for with LOCK_NB is never waited for; F_SETLKW and F_OFD_SETLKW wait.
length=$(wc -c <"$MEMO_DIR/journal")
# shellcheck disable=SC2086 # The command's words are to be split.
strace -f -qq -e trace=flock,fcntl,futex -o calls "$at_once" 50 $hit
[ "$(grep -c 'flock(.*LOCK_NB' calls)" -ge 50 ] || die 'the locks of 50 hits were not seen'
judge 'calls of 50 hits at once that can wait for a lock' 0 \
    "$(awk '/flock\(/ && !/LOCK_NB|LOCK_UN/ || /SETLKW/ || /futex\(.*WAIT/ { n++ } END { print n + 0 }' calls)" ''
judge '50 hits at once that left no record' 0 "$((50 - ($(wc -c <"$MEMO_DIR/journal") - length) / 160))" ''
# shellcheck disable=SC2016 # It is the command's shell that is to count.
"$at_once" 50 "$memo" sh -c 'echo >>counted; sleep 0.5; echo done'
judge 'runs for 50 identical misses at once' 1 "$(wc -l <counted)" ''

mkdir deep
(cd deep && seq -w 100 | while read -r one; do
    mkdir "$one"
    seq -w 100 | while read -r other; do echo "$one $other" >"$one/$other"; done
done)
copying=(--no-auto -o tree cp -a deep tree)
must_hit "$work/trees" "${copying[@]}"
row 'output directory of 10 000 small files put back : `cp -a`' 2.00 5 1 \
    "$memo ${copying[*]}" "cp -a deep copied" \
    "$work/trees" "$work/trees" "rm -rf tree copied" "rm -rf tree copied"

# --- Looking at much --------------------------------------------------------------------------------

# listing: how soon `memo ls` of 100,000 entries shows its first lines.
listing() {
    local much=$work/store-100k
    say 'recording 100 000 entries'
    seq 100000 | MEMO_DIR=$much xargs -P "$(nproc)" -I{} "$memo" -k {} true >/dev/null 2>&1
    # Directories that were changed just now are looked through at each call, as young files are hashed.
    sleep 3
    MEMO_DIR=$much "$memo" ls -n 1 >/dev/null
    [ "$(MEMO_DIR=$much "$memo" ls --json | wc -l)" = 100000 ] || die 'not all of 100 000 entries are listed'
    row 'first line of `memo ls` of 100 000 entries : `true`' 50 10 20 "sh -c '$memo ls | head -1'" "$true" "$much"
    row 'first key completed of 100 000 : `true`' 50 10 20 "$memo completions --list keys 5b" "$true" "$much"
    row 'groups completed of 100 000 entries : `true`' 50 10 20 "$memo completions --list groups" "$true" "$much"
    rm -rf "$much"
}
listing

# --- Results ----------------------------------------------------------------------------------------

model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)
slug=$(printf '%s' "${model:-$(uname -m)}" | tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9' '-' | sed 's/^-*//; s/-*$//')
{
    printf '# %s, %s\n\n' "$(date +%F)" "${model:-$(uname -m)}"
    printf -- '* %s processors, Linux %s, %s\n' "$(nproc)" "$(uname -r)" "$(stat -f -c %T "$work")"
    printf -- '* memo %s, bkt %s, %s, b3sum %s, rustc %s\n' "$commit" "$BKT_VERSION" \
        "$("$hyperfine" --version)" "$("$b3sum" --version | cut -d' ' -f2)" "$rust"
    printf -- '* LANG=%s, LC_ALL=%s\n' "${LANG-}" "${LC_ALL-}"
    printf -- '* load when it began: %s\n\n' "$load"
    cat table
} >table.md

if [ -n "$trial" ]; then
    say 'a trial: nothing kept'
else
    runs=$repository/bench/runs/$(date +%F)-$slug
    mkdir -p "$runs"
    cp table.md rounds.csv "$runs/"
    say "kept in ${runs#"$repository"/}"
fi
if [ "$broken" = 0 ]; then say 'every bound holds'; else say 'not every bound holds'; fi
exit "$broken"
