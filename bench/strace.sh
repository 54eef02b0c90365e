#!/usr/bin/env bash
# Writes down the system calls of a hit and of a miss of `memo cat in`, for bench/strace/README.md to explain.
#
#   bench/strace.sh             writes bench/strace/hit.txt and miss.txt; `git diff` tells what changed
#
# What differs between two runs or two machines is written as a word: ADDRESS, PID, KEY, LENGTH, $T (the
# directory of the run), ABOVE (each directory above it), and what the kernel fills in. When the reads of a
# miss happen to meet both pipes at once, there is a poll less. The store is there already, the input is older than the racy
# guard, stdin and stderr are /dev/null, stdout is a pipe. Of the command itself stands only what memo's code
# does between fork and exec.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD

[ $# = 0 ] || {
    echo 'usage: bench/strace.sh' >&2
    exit 2
}
command -v strace >/dev/null || {
    echo 'strace: `strace` is missing: `apt-get install strace`' >&2
    exit 2
}

cargo build --release --locked --quiet
host=$(rustc -vV | sed -n 's/^host: //p')
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
work=$(mktemp -d "$target/strace.XXXXXX")
work=$(cd -P "$work" && pwd)
trap 'rm -rf "$work"' EXIT
cp "$target/$host/release/memo" "$work/memo"
above=/
directory=$work
while directory=$(dirname "$directory") && [ "$directory" != / ]; do above="$directory|$above"; done
cd "$work"
mkdir here out
cd here
echo hello >in
# Younger files are hashed at every call: their times cannot be trusted yet.
sleep 3

memo() { env -i PATH=/usr/bin:/bin HOME="$work/home" MEMO_DIR="$work/store" "$@" </dev/null 2>/dev/null | cat >/dev/null; }
memo "$work/memo" true

# trace NAME: the calls of `memo cat in`, one file a process.
trace() {
    memo strace -ff -qq -s 12 -o "$work/out/$1" \
        -e verbose='!statx,fstat,newfstatat,statfs,prlimit64,signalfd4,wait4,poll,ioctl' "$work/memo" cat in
}
# told FILE: its lines without what no two runs have in common.
told() {
    LC_ALL=C sed -E \
        -e 's/, 0x[0-9a-f]+ \/\* [0-9]+ vars \*\//, ENVIRONMENT/' \
        -e "s|$work|\$T|g" \
        -e "s#^(statx\\(AT_FDCWD, )\"($above)\"#\\1ABOVE#" \
        -e '/^(execve|readlink)/ s|"/[^"]*"\.\.\.|"$T/memo"|' \
        -e 's/^((getcwd|readlink)\(.*= )[0-9]+$/\1LENGTH/' \
        -e 's/0x[0-9a-f]{6,}/ADDRESS/g' \
        -e 's/[0-9a-f]{64}/KEY/g' \
        -e 's/(manifests|leases|outcomes|blobs)\/[0-9a-f]{2}\b/\1\/KE/g' \
        -e 's/(-)[0-9]+(-[0-9]+")/\1PID\2/' \
        -e 's/^(wait4\()[0-9]+(.*= )[0-9]+$/\1PID\2PID/' \
        -e 's/^((clone|vfork|getpid|getppid|set_tid_address)\(.*= )[0-9]+$/\1PID/' \
        -e 's/^(getrandom\()".*"(\.\.\.)?/\1BYTES/' \
        -e 's/"\/proc\/[0-9]+\//"\/proc\/PID\//' \
        -e 's/^(read\([0-9]+, ")[0-9]+ \(memo\)("\.\.\., [0-9]+\) *= )[0-9]+$/\1PID (memo)\2LENGTH/' \
        -e 's/^(read\([0-9]+, ")[0-9a-f]{8}-[0-9a-f]{3}"/\1BOOT"/' \
        -e 's/"(mjr1|memoMAN1|\\177ELF|\\[0-9])[^ ]*"(\.\.\.)?/"\1".../' \
        -e '/"(memoMAN1|\\177ELF|\\[0-9])"|^read\(.*"mjr1"/ s/, [0-9]+(, [0-9]+)?\) *= [0-9]+$/, LENGTH\1) = LENGTH/' \
        -e '/^(pwrite64|pread64)/ s/LENGTH, [1-9][0-9]*\)/LENGTH, LENGTH)/' \
        -e 's/^(ftruncate\([0-9]+, )[1-9][0-9]*\)/\1LENGTH)/' \
        -e 's/^(read\([0-9]+, "", )[0-9]{3}\)/\1REST)/' \
        -e 's/ +=/ =/' "$1" | awk '!/ABOVE/ || !above++'
}
# calls TRACE: those of memo, then those of its child before it is the command.
calls() {
    local own child
    own=$(grep -l '\$T/memo\|/memo"' out/"$1".* | head -1)
    told "$own"
    for child in out/"$1".*; do
        [ "$child" != "$own" ] || continue
        printf '\n--- the child, before it is the command\n'
        told "$child" | sed '/^execve(/q'
    done
}

trace miss
trace hit
cd "$work"
calls miss >miss.txt
calls hit >hit.txt
mkdir -p "$repository/bench/strace"
cp hit.txt miss.txt "$repository/bench/strace/"
wc -l hit.txt miss.txt >&2
