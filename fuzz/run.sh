#!/usr/bin/env bash
# Gives the readers of memo's files and messages, each for some time, what coverage says they have not seen yet.
#
#   fuzz/run.sh [SECONDS] [TARGET]...      600 seconds and all targets when nothing is said
#
# It begins with the files of a store that memo itself fills. One line a target goes to stdout: how many inputs,
# how many of them were worth keeping, what was found; what was found lies in fuzz/artifacts/. Two targets run at
# once. Exit status: 0 when nothing was found, 1 when something was, 2 when something is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}
shift || true
[ $# -gt 0 ] || set -- manifest outcome journal lease config index singleton

cargo fuzz --version >/dev/null 2>&1 || {
    echo 'fuzz: cargo-fuzz is missing: `cargo install cargo-fuzz --locked`, and `rustup toolchain install nightly`' >&2
    exit 2
}
cargo build --locked --quiet
host=$(rustc -vV | sed -n 's/^host: //p')
repository=$PWD
seeds=$repository/fuzz/seeds
rm -rf "$seeds"
mkdir -p "$seeds/work/tree/below"
for name in $(compgen -e MEMO_); do unset "$name"; done

# --- A store with something of everything ------------------------------------------------------------
(
    cd "$seeds/work"
    export PATH=$repository/target/$host/debug:/usr/local/bin:/usr/bin:/bin HOME=$seeds MEMO_DIR=$seeds/store
    exec </dev/null >/dev/null 2>&1
    for content in 1 2 3; do
        echo $content >in
        memo -k a=b -e 'L*' -i in -i tree -i 'tree/*' -i '!tree/x' --ttl 1h sh -c 'cat in; echo e >&2'
    done
    ln -s in link
    A=1 memo _B=2 C=3 cat in link tree absent || true
    memo -o out sh -c 'echo o >out'
    memo -o out -o more sh -c 'echo p >out; echo q >more; chmod 750 more'
    memo --cache-exit 0,3 sh -c 'exit 3' || true
    memo cp in copy
    echo piped | memo cat
    echo piped | memo sh -c 'cat >/dev/null; echo none'
    memo cat <in
    memo sh -c 'yes | head -c 100000'
    memo -g group --no-cwd --no-auto -- ls -d tree in
    for _ in 1 2 3; do memo cat in; done
    memo ls
    memo -- ls
    memo singleton x --global --on-release true -i in -k v=1 -e A --ready-cmd true -- B=1 sleep 9000
    mkdir slot
    cp "$seeds"/store/singleton/global/x/{lock,deps,release} slot
    memo singleton stop --global x
    cp "$seeds"/store/singleton/global/x/last slot
)
[ -s "$seeds/store/journal" ] && [ -s "$seeds/store/index.db" ]

# --- The first inputs of each target -----------------------------------------------------------------
corpus() { printf '%s' "fuzz/corpus/$1/$2"; }
for target in manifest outcome journal lease config index singleton; do mkdir -p "fuzz/corpus/$target"; done
number=0
while IFS= read -r -d '' file; do
    number=$((number + 1))
    case "$file" in
    */manifests/*)
        # The target makes the checksum.
        head -c -32 "$file" >"$(corpus manifest "real-$number")"
        { printf "\\2\\$(printf %03o "$number")"; head -c -32 "$file"; } >"$(corpus index "real-$number")"
        # Outcomes stand in manifests, whole.
        offset=$(grep -obUaP 'memoOUT3' "$file" | head -1 | cut -d: -f1) || true
        [ -z "$offset" ] || tail -c "+$((offset + 1))" "$file" | head -c -32 >"$(corpus outcome "real-$number")"
        ;;
    */outcomes/*)
        cp "$file" "$(corpus outcome "real-$number")"
        { printf '\3\1'; cat "$file"; } >"$(corpus index "real-$number")"
        ;;
    */journal)
        cp "$file" "$(corpus journal "real-$number")"
        { printf '\0\1'; cat "$file"; } >"$(corpus index "real-$number")"
        ;;
    */index.db) { printf '\1\0'; cat "$file"; } >"$(corpus index "real-$number")" ;;
    esac
done < <(find "$seeds/store" -type f ! -name '.lock' -print0)
# A holder, a transcript and a verdict, as a failed run leaves them.
{
    printf 'y\0\23\0\0\0\2\0\0\0\0\0\0\0\3\4boot\4name\1\2\0\0\0hi\4\0\0\0\0\3\52\0\0\0verdict1\2\3'
    head -c 32 /dev/zero
} >"$(corpus lease verdict)"
# The first byte says which reader.
number=0
for file in "$seeds"/work/slot/{deps,lock,release,last}; do
    case "$file" in */deps) kind='\0' ;; */last) kind='\2' ;; *) kind='\1' ;; esac
    number=$((number + 1))
    { printf "$kind"; cat "$file"; } >"$(corpus singleton "real-$number")"
done
printf '\5\3a line\n' >"$(corpus singleton line)"
printf '\5\11{"a": [1, "x\\n"]}\n' >"$(corpus singleton json)"
printf '\5\20Content-Length: 2\r\nX: y\r\n\r\n{}' >"$(corpus singleton lsp)"
printf '\6READY=1\nSTATUS=x\nEXTEND_TIMEOUT_USEC=5\n' >"$(corpus singleton notice)"
printf '\7http://localhost:$PORT/x?y' >"$(corpus singleton url)"
printf '\7on (?<addr>\\S+)\0on 1:2\n' >"$(corpus singleton log)"
cp config/default.toml "$(corpus config default)"
{ cat config/default.toml; printf '\0refresh\0001d12h\0A,!B*\0000,3-7\000500M\00020GiB\0001K\000~/store'; } >"$(corpus config all)"

# --- The runs ----------------------------------------------------------------------------------------
export MEMO_FUZZ_STORE=$seeds/store
# Files that are written again and again: in memory.
if [ -d /dev/shm ]; then export TMPDIR=/dev/shm; fi
for target; do CARGO_INCREMENTAL=0 cargo +nightly fuzz build --fuzz-dir fuzz "$target" >&2; done
mkdir -p fuzz/artifacts
one() {
    local target=$1 log=fuzz/artifacts/$1.log found=nothing
    # A store is looked through in milliseconds, so its inputs are to be small ones; the largest are those of SQLite.
    cargo +nightly fuzz run --fuzz-dir fuzz "$target" -- -max_total_time="$seconds" -max_len=65536 -timeout=20 \
        -print_final_stats=1 >"$log" 2>&1 || found=$(sed -n 's/^.*Test unit written to //p' "$log" | tail -1)
    printf '| %s | %s s | %s | %s | %s | %s |\n' "$target" "$seconds" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
        "$(sed -n 's/^stat::new_units_added: *//p' "$log")" \
        "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)" "${found:-nothing: see $log}"
    [ "$found" = nothing ]
}
failed=0
echo '| reader | time | inputs | kept | branches reached | found |'
echo '|---|---|---|---|---|---|'
while [ $# -gt 0 ]; do
    running=()
    for target in "${@:1:2}"; do
        one "$target" &
        running+=($!)
    done
    for pid in "${running[@]}"; do wait "$pid" || failed=1; done
    shift $(($# < 2 ? $# : 2))
done
rm -rf "${TMPDIR:-/tmp}"/memo-fuzz-*
exit "$failed"
