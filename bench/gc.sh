#!/bin/sh
# gc.sh
# Builds the index of 100,000 entries in the pieces that runs do, and says how long a piece takes: no more than
# 20 ms of anybody's time. On a busy machine the longest ones are the disk's.
set -eu
cd "$(dirname "$0")/.."
pieces=$(mktemp)
trap 'rm -f "$pieces"' EXIT
cargo test --locked --release --lib measure_gc -- --ignored --nocapture |
    sed -n 's/^building the index: .*), \([0-9.]*[mµ]s\), .*/\1/p' |
    sed 's/ms$/ 1/; s/µs$/ 1000/' | awk '{ print $1 / $2 }' | sort -n >"$pieces"
awk '{ ms[NR] = $1 }
    END { printf "%d pieces: median %.1f ms, 99 of 100 up to %.1f ms, longest %.1f ms\n",
        NR, ms[int((NR + 1) / 2)], ms[int(NR * 0.99)], ms[NR] }' "$pieces"
