#!/usr/bin/env bash
# Runs the same cases without a cache, with memo, with bkt and with ccache, and prints what came of each as a
# table. docs/compared.md holds such a table.
#
#   bench/compare.sh           builds memo and runs all cases
#   bench/compare.sh WORD      runs those whose name has WORD in it
#   MEMO=FILE bench/compare.sh [WORD]      takes this memo, and builds none
#
# ccache is for compilers, so only the cases that compile are for it. Nothing is measured in seconds; what a
# hit costs is bench/run.sh's business.
#
# Exit status: 0, 2 when something is missing.
# shellcheck disable=SC2016 # What stands in single quotes is for an inner shell.
set -euo pipefail

readonly BKT_VERSION=0.8.2
readonly NOBODY=65534

say() { printf 'compare: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 2
}

# --- A place of its own, and somebody whom permissions stop ---------------------------------------------

if [ -z "${COMPARE_WORK-}" ]; then
    cd "$(dirname "$0")/.."
    for program in cargo bkt ccache cc timeout setpriv; do
        command -v "$program" >/dev/null || die "\`$program\` is missing"
    done
    case "$(bkt --version)" in
    *" $BKT_VERSION") ;;
    *) die "this is $(bkt --version): \`cargo install bkt --locked --version $BKT_VERSION\`" ;;
    esac
    memo=${MEMO-}
    if [ -z "$memo" ]; then
        cargo build --release --locked --quiet
        host=$(rustc -vV | sed -n 's/^host: //p')
        target=$(cargo metadata --format-version 1 --no-deps)
        memo=$(sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p' <<<"$target")/$host/release/memo
    fi
    work=$(mktemp -d)
    trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
    mkdir "$work/bin"
    cp "$memo" "$(command -v bkt)" "$(command -v ccache)" "bench/${0##*/}" "$work/bin"
    cd "$work"
    as=()
    if [ "$(id -u)" = 0 ]; then
        chown -R "$NOBODY:$NOBODY" "$work"
        as=(setpriv "--reuid=$NOBODY" "--regid=$NOBODY" --clear-groups)
    fi
    "${as[@]}" env -i COMPARE_WORK="$work" HOME="$work" TMPDIR="$work" PATH="$work/bin:/usr/bin:/bin" \
        LC_ALL=C.UTF-8 bash "$work/bin/${0##*/}" "$@"
    exit
fi

work=$COMPARE_WORK
only=${1-}

# A compiler that counts its work. ccache asks it for preprocessed text besides, which is not counted.
cat >"$work/bin/slowcc" <<'END'
#!/bin/sh
case " $* " in
*" -E "*) ;;
*)
    [ -z "${RUNS-}" ] || echo run >>"$RUNS"
    [ -z "${SLOW-}" ] || sleep "$SLOW"
    ;;
esac
exec cc "$@"
END
chmod +x "$work/bin/slowcc"
ln -sf slowcc "$work/bin/gcc"

# --- The tools ------------------------------------------------------------------------------------------

# Sets `$by` to the words of the tool in question that stand before a command, with its `$options`.
options=()
by() {
    case $tool in
    without) by=() ;;
    memo) by=(memo "${options[@]}") ;;
    bkt) by=(bkt "${options[@]}" --) ;;
    ccache) by=(ccache) ;;
    esac
}

# call COMMAND...: runs it by the tool in question.
call() {
    by
    "${by[@]}" "$@"
}

# Where the tool keeps what it records.
fresh() {
    options=()
    rm -rf "${work:?}/case"
    mkdir -p "$work/case/store" "$work/case/in"
    cd "$work/case/in"
    export MEMO_DIR=$work/case/store/memo BKT_CACHE_DIR=$work/case/store/bkt CCACHE_DIR=$work/case/store/ccache
    mkdir "$BKT_CACHE_DIR"
    export BKT_TTL=1h RUNS=$work/case/runs
    unset MEMO_MAX_SIZE CCACHE_MAXSIZE CCACHE_NOCOMPRESS SLOW
    : >"$RUNS"
}

runs() {
    local number
    number=$(wc -l <"$RUNS")
    case $number in 1) echo '1 run' ;; *) echo "$number runs" ;; esac
}
joined() { paste -sd' ' -; }

tools=(without memo bkt ccache)
echo "| case | without | memo | bkt | ccache |"
echo "|---|---|---|---|---|"

# row NAME FUNCTION [TOOL]...: one line of the table. Tools that are not named have nothing to do with it.
row() {
    local name=$1 function=$2 cells='' tool result
    case $name in *"$only"*) ;; *) return ;; esac
    shift 2
    for tool in "${tools[@]}"; do
        case " $* " in
        *" $tool "*)
            fresh
            result=$("$function" 2>"$work/stderr") || result="${result:+$result, }fault $?"
            ;;
        *) result='-' ;;
        esac
        cells+=" ${result//|/\\|} |"
    done
    printf '| %s |%s\n' "$name" "$cells"
}

# --- Any command ----------------------------------------------------------------------------------------

changed_script() {
    printf '#!/bin/sh\necho old\n' >s && chmod +x s
    { call ./s && printf '#!/bin/sh\necho new\n' >s && call ./s; } | joined
}

changed_argument_file() {
    echo old >f
    { call cat f && echo new >f && call cat f; } | joined
}

kept_time() {
    [ "$tool" != bkt ] || options=(--modtime f)
    echo old >f
    { call cat f && cp -p f t && echo new >f && touch -r t f && call cat f; } | joined
}

other_directory() {
    mkdir a b
    echo a >a/f
    echo b >b/f
    { (cd a && call cat f) && (cd b && call cat f); } | joined
}

changed_variable() {
    { V=1 call sh -c 'echo $V' && V=2 call sh -c 'echo $V'; } | joined
}

chosen_variable() {
    case $tool in memo) options=(-e V) ;; bkt) options=(--env V) ;; esac
    changed_variable
}

other_stdin() {
    { echo a | call cat && echo b | call cat; } | joined
}

reading_loop() {
    for _ in 1 2; do
        printf '1\n2\n3\n' | while read -r n; do call sh -c "cat >/dev/null; echo $n"; done | wc -l
    done | joined
}

yes_head() {
    local code=0
    by
    timeout 5 bash -c '"$@" yes | head -1' - "${by[@]}" >out || code=$?
    if [ "$code" = 124 ]; then echo 'no end in 5 s'; else echo "ends, $(cat out)"; fi
}

exit_status() {
    local code codes=()
    for _ in 1 2; do
        code=0
        call sh -c 'echo run >>$RUNS; exit 3' || code=$?
        codes+=("$code")
    done
    echo "${codes[*]}; $(runs)"
}

signal_status() {
    local code codes=()
    for _ in 1 2; do
        code=0
        (call sh -c 'echo run >>$RUNS; kill -TERM $$') 2>/dev/null || code=$?
        codes+=("$code")
    done
    echo "${codes[*]}; $(runs)"
}

not_executable() {
    local code=0 codes=()
    : >f
    call ./f || code=$?
    codes+=("$code")
    code=0
    call ./nosuch || code=$?
    echo "${codes[*]} $code"
}

merged_order() {
    for _ in 1 2; do
        call sh -c 'for i in 1 2 3; do echo o$i; echo e$i >&2; done' 2>&1 | joined
    done | sed -n 2p
}

output_file() {
    [ "$tool" != memo ] || options=(-o made)
    call sh -c 'echo made >made; echo done' >/dev/null
    rm -f made
    call sh -c 'echo made >made; echo done' >/dev/null
    if [ -e made ]; then cat made; else echo 'not there'; fi
}

crowd() {
    for _ in {1..20}; do
        call sh -c 'echo run >>$RUNS; sleep 1; echo done' >>out &
    done
    wait
    echo "$(runs), $(grep -c "done" out) answers"
}

ttl() {
    case $tool in memo) options=(--ttl 1s) ;; bkt) options=(--ttl 1s) ;; esac
    call sh -c 'echo run >>$RUNS'
    call sh -c 'echo run >>$RUNS'
    sleep 1.5
    call sh -c 'echo run >>$RUNS'
    echo "$(runs) for 3 calls"
}

killed_meanwhile() {
    mkfifo go
    by
    # Not by a function, which would be a shell around it.
    "${by[@]}" sh -c 'echo run >>$RUNS; echo $$ >pid; echo one; cat go; echo two' >out 2>/dev/null &
    local started=$! alive=gone
    until [ -s pid ] && [ -s out ]; do sleep 0.05; done
    kill -KILL "$started"
    wait "$started" 2>/dev/null || true
    sleep 0.5
    # A dead one that nobody has waited for still has an entry.
    ! grep -q '^State:[[:space:]][^ZX]' "/proc/$(cat pid)/status" 2>/dev/null || alive='left running'
    # What still reads the fifo is let go.
    timeout 1 bash -c 'echo >go' || true
    echo two-lines >go &
    local writer=$!
    local answer
    answer=$(call sh -c 'echo run >>$RUNS; echo $$ >pid; echo one; cat go; echo two' | joined)
    kill "$writer" 2>/dev/null || true
    [ "$answer" = 'one two-lines two' ] && answer=whole
    echo "command $alive; then $answer"
}

read_only() {
    call sh -c 'echo kept' >/dev/null
    chmod -R a-w "$work/case/store"
    local code=0 first
    first=$(call sh -c 'echo kept') || first="$?"
    call sh -c 'echo new; exit 3' >out || code=$?
    chmod -R u+w "$work/case/store"
    echo "hit: $first; miss: $(cat out), status $code"
}

no_store() {
    MEMO_DIR=/proc/no BKT_CACHE_DIR=/proc/no
    local code=0
    call sh -c 'echo ran; exit 3' >out || code=$?
    echo "$(cat out), status $code" | sed 's/^,/not run,/'
}

cut_off() {
    call sh -c 'echo run >>$RUNS; echo right' >/dev/null
    find "$work/case/store" -type f -size +0 -exec sh -c 'truncate -s $(($(stat -c %s "$1") / 2)) "$1"' - {} \;
    local code=0
    call sh -c 'echo run >>$RUNS; echo right' >out || code=$?
    echo "$(cat out), status $code, $(runs)" | sed 's/^,/nothing,/'
}

flipped_byte() {
    # The words of the command do not have what is changed.
    call printf 'Hel%s\n' lo >/dev/null
    find "$work/case/store" -type f -exec sed -i 's/Hello/Jello/g' {} +
    call printf 'Hel%s\n' lo
}

size_bound() {
    export MEMO_MAX_SIZE=4M
    for n in {1..20}; do call head -c "10000$((n + 10))" /dev/zero >/dev/null; done
    sleep 0.2
    echo "$(du -sk "$work/case/store" | awk '{ printf "%.1f", $1 / 1024 }') MiB"
}

# --- A compiler -----------------------------------------------------------------------------------------

sources() {
    printf '#include "a.h"\nint a[] = { 1, SIZE };\n' >a.c
    edit '#define SIZE 2'
}

# What a file's clock can tell apart takes some milliseconds.
edit() {
    printf '%s\n' "$1" >a.h
    sleep 0.1
}

change_header() {
    sources
    call gcc "$@" -c a.c -o a.o
    edit '#define SIZE 3'
    rm -f a.o
    call gcc "$@" -c a.c -o a.o
    cc -c a.c -o right.o
    if cmp -s a.o right.o; then echo 'new object'; elif [ -e a.o ]; then echo 'old object'; else echo 'no object'; fi
}

header() { change_header; }

declared_header() {
    case $tool in memo) options=(-i '*.h' -o a.o) ;; bkt) options=(--modtime a.h) ;; esac
    change_header
}

depfile_header() {
    [ "$tool" != memo ] || options=(--depfile a.d -o a.o)
    change_header -MMD -MF a.d
}

branches() {
    case $tool in memo) options=(--depfile a.d -o a.o) ;; bkt) options=(--modtime a.h) ;; esac
    sources
    : >"$RUNS"
    for size in 2 3 2 3; do
        edit "#define SIZE $size"
        call gcc -MMD -MF a.d -c a.c -o a.o
    done
    cc -c a.c -o right.o
    if cmp -s a.o right.o; then echo "$(runs), new object"; else echo "$(runs), old object"; fi
}

object_back() {
    [ "$tool" != memo ] || options=(-o a.o)
    sources
    call gcc -c a.c -o a.o
    rm a.o
    call gcc -c a.c -o a.o
    if [ -e a.o ]; then echo "there, $(runs)"; else echo 'not there'; fi
}

comment_changed() {
    [ "$tool" != memo ] || options=(--depfile a.d -o a.o)
    sources
    call gcc -MMD -MF a.d -c a.c -o a.o
    echo '// a comment' >>a.c
    call gcc -MMD -MF a.d -c a.c -o a.o
    runs
}

warnings() {
    [ "$tool" != memo ] || options=(-o a.o)
    echo 'int f(void) { }' >a.c
    for _ in 1 2; do call gcc -Wall -c a.c -o a.o 2>&1 | grep -c warning || true; done | joined
}

failed_compile() {
    [ "$tool" != memo ] || options=(-o a.o)
    echo 'int f(' >a.c
    local code=0
    call gcc -c a.c -o a.o 2>/dev/null || code=$?
    code=0
    call gcc -c a.c -o a.o 2>err || code=$?
    echo "status $code, $(grep -c error err) error"
}

compile_crowd() {
    [ "$tool" != memo ] || options=(-o a.o)
    sources
    export SLOW=1
    for _ in {1..20}; do call gcc -c a.c -o a.o 2>>err & done
    wait
    cc -c a.c -o right.o
    cmp -s a.o right.o && runs
}

compile_read_only() {
    [ "$tool" != memo ] || options=(-o a.o)
    sources
    call gcc -c a.c -o a.o
    echo 'int b;' >b.c
    chmod -R a-w "$work/case/store"
    rm a.o
    local hit=0 miss=0
    call gcc -c a.c -o a.o || hit=$?
    [ "$tool" != memo ] || options=(-o b.o)
    call gcc -c b.c -o b.o || miss=$?
    chmod -R u+w "$work/case/store"
    echo "hit: status $hit, $(ls a.o 2>/dev/null || echo nothing); miss: status $miss, $(ls b.o 2>/dev/null || echo nothing); $(runs)"
}

compile_size_bound() {
    export MEMO_MAX_SIZE=4M CCACHE_MAXSIZE=4M CCACHE_NOCOMPRESS=1
    # Small ones: ccache divides its bound among the 16 parts of its store.
    for n in {1..200}; do
        [ "$tool" != memo ] || options=(-o "$n.o")
        echo "char a[100000] = { 1, $n };" >"$n.c"
        call gcc -c "$n.c" -o "$n.o"
    done
    sleep 0.2
    echo "$(du -sk "$work/case/store" | awk '{ printf "%.1f", $1 / 1024 }') MiB"
}

any=(without memo bkt)
compiler=(without memo bkt ccache)
row 'a changed script' changed_script "${any[@]}"
row 'a changed file named by a word' changed_argument_file "${any[@]}"
row 'the same, its time set back (bkt: `--modtime`)' kept_time "${any[@]}"
row 'another directory' other_directory "${any[@]}"
row 'a changed variable' changed_variable "${any[@]}"
row 'a changed variable that was named (`-e`, `--env`)' chosen_variable "${any[@]}"
row 'another stdin' other_stdin "${any[@]}"
row 'lines a `while read` loop gives a command that reads on, twice' reading_loop "${any[@]}"
row '`yes \| head -1`' yes_head "${any[@]}"
row 'exit status 3, twice' exit_status "${any[@]}"
row 'death by SIGTERM, twice' signal_status "${any[@]}"
row 'not executable; not there' not_executable "${any[@]}"
row 'order of stdout and stderr, the second time, `2>&1`' merged_order "${any[@]}"
row 'an output file that was removed (memo: `-o`)' output_file "${any[@]}"
row '20 callers at once' crowd "${any[@]}"
row 'good for a second, asked twice and again later' ttl "${any[@]}"
row 'killed by SIGKILL in the middle' killed_meanwhile "${any[@]}"
row 'read-only store' read_only "${any[@]}"
row 'store that cannot be made' no_store "${any[@]}"
row 'every file of the store cut in half' cut_off "${any[@]}"
row 'a changed byte in the store' flipped_byte "${any[@]}"
row 'store after outputs of 20 MB, bound of 4 MiB (bkt: none)' size_bound memo bkt
row 'compile: a changed header, nothing declared' header "${compiler[@]}"
row 'compile: a changed header, declared (`-i`, `--modtime`)' declared_header "${compiler[@]}"
row 'compile: a changed header, `-MMD` (memo: `--depfile`)' depfile_header "${compiler[@]}"
row 'compile: header to and fro, four times' branches "${compiler[@]}"
row 'compile: an object that was removed (memo: `-o`)' object_back "${compiler[@]}"
row 'compile: a comment is added' comment_changed "${compiler[@]}"
row 'compile: warnings, both times' warnings "${compiler[@]}"
row 'compile: an error, the second time' failed_compile "${compiler[@]}"
row 'compile: 20 callers at once' compile_crowd "${compiler[@]}"
row 'compile: read-only store' compile_read_only "${compiler[@]}"
row 'compile: store after objects of 20 MB, bound of 4 MiB' compile_size_bound memo ccache
