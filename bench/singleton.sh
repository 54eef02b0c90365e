#!/usr/bin/env bash
# Measures `memo singleton`: a warm ask against a hit, calls of many clients, what supervisor and guardian keep, and
# how often they wake up.
#
#   bench/singleton.sh             keeps the results in bench/runs/DATE-MACHINE/singleton.md
#   bench/singleton.sh --trial     prints them only: for a machine that has other things to do
#
# Exit status: 0 when every bound holds, 1 when one does not, 2 when something is missing.
# shellcheck disable=SC2016 # Backticks in single quotes are meant for the reader.
set -euo pipefail

trial=
case "${1-}" in
'') ;;
--trial) trial=1 ;;
*)
    echo 'usage: bench/singleton.sh [--trial]' >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/.."
repository=$PWD
for program in cargo hyperfine python3 strace; do
    command -v "$program" >/dev/null || {
        echo "bench: \`$program\` is missing" >&2
        exit 2
    }
done

cargo build --release --locked --quiet
host=$(rustc -vV | sed -n 's/^host: //p')
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
work=$(mktemp -d "$target/bench.XXXXXX")
cp "$target/$host/release/memo" "$work/memo"
memo=$work/memo
for name in $(compgen -e MEMO_); do unset "$name"; done
export HOME=$work MEMO_DIR=$work/store PATH=/usr/local/bin:/usr/bin:/bin
trap '"$memo" singleton stop --all --everywhere --quiet --grace 1s; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$work"
exec </dev/null

broken=0
: >table
line() { printf '%s\n' "$1" | tee -a table; }
# judge WORK BOUND MEASURED MORE
judge() {
    local verdict
    verdict=$(LC_ALL=C awk -v m="$3" -v b="$2" 'BEGIN { print (m <= b) ? "yes" : "**no**" }')
    [ "$verdict" = yes ] || broken=1
    line "| $1 | $2 | $3 | $verdict | $4 |"
}
# median COMMAND: of its times, in seconds.
median() {
    hyperfine -N --style none --warmup 10 --runs 100 --command-name x --export-csv times.csv "$1" >said 2>&1
    LC_ALL=C awk -F, 'NR == 2 { print $4 }' times.csv
}
# ratio WORK BOUND ONE OTHER: of the medians of ten rounds in turns.
ratio() {
    local round
    : >a
    : >b
    for ((round = 0; round < 10; round++)); do
        median "$3" >>a
        median "$4" >>b
    done
    local one other
    one=$(LC_ALL=C sort -g a | sed -n 5p) other=$(LC_ALL=C sort -g b | sed -n 5p)
    judge "$1" "$2" "$(LC_ALL=C awk -v a="$one" -v b="$other" 'BEGIN { printf "%.2f", a / b }')" \
        "$(LC_ALL=C awk -v a="$one" -v b="$other" 'BEGIN { printf "%.2f ms, %.2f ms", a * 1000, b * 1000 }')"
}

load=$(cut -d' ' -f1 /proc/loadavg)
line '| work | bound | measured | holds | more |'
line '|---|---|---|---|---|'

"$memo" echo hello world >/dev/null
echo 1 >input
# A younger one is hashed at every ask.
sleep 3
"$memo" singleton s -i input -- sleep 100000 >/dev/null
ratio 'warm `memo singleton NAME -- CMD` : hit of 12 bytes' 3 "$memo singleton s -- sleep 100000" "$memo echo hello world"
"$memo" singleton s -i input -- sleep 100000 >/dev/null
ratio 'the same with `-i FILE` : hit of 12 bytes' 3 "$memo singleton s -i input -- sleep 100000" "$memo echo hello world"

# What both keep, and how often they wake up when nothing happens.
supervisor=$("$memo" singleton status s --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["supervisor"])')
guardian=$(awk '/^PPid:/ { print $2 }' "/proc/$supervisor/status")
resident() { awk '/^VmRSS:/ { n += $2 } END { printf "%.2f", n / 1024 }' "/proc/$supervisor/status" "/proc/$guardian/status"; }
switches() { awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$supervisor/status" "/proc/$guardian/status"; }
judge 'supervisor and guardian resident, MiB' 4 "$(resident)" 'sum of VmRSS; what both share counts twice'
before=$(switches)
sleep 20
judge 'wake-ups of both in 20 s without anything to do' 0 "$(($(switches) - before))" ''

# 500 clients at once, each of which must get its own reply.
cat >worker.py <<'WORKER'
import sys
for line in sys.stdin:
    print("reply to " + line, end="", flush=True)
WORKER
"$memo" singleton w --framing line -- python3 worker.py >/dev/null
python3 - "$memo" >calls <<'CLIENTS'
import subprocess, sys, time
memo, clients = sys.argv[1], 500
began = time.monotonic()
running = [subprocess.Popen([memo, "singleton", "call", "w", f"client {n}"], stdout=subprocess.PIPE) for n in range(clients)]
wrong = sum(one.communicate()[0] != f"reply to client {n}\n".encode() for n, one in enumerate(running))
print(wrong, clients / (time.monotonic() - began))
CLIENTS
read -r wrong rate <calls
judge 'replies of 500 clients at once that are not their own' 0 "$wrong" "$(LC_ALL=C printf '%.0f calls a second, with their processes' "$rate")"
ratio 'a `memo singleton call` : hit of 12 bytes' 5 "$memo singleton call w hello" "$memo echo hello world"
"$memo" singleton stop w

# A cold start and a stop, for what they are: there is no bound.
hyperfine -N --style none --warmup 2 --runs 20 --command-name x --export-csv times.csv \
    "sh -c '$memo singleton c --framing line -- sleep 100000 && $memo singleton stop c'" >said 2>&1
line "| a start and a stop, ms | - | $(LC_ALL=C awk -F, 'NR == 2 { printf "%.1f", $4 * 1000 }' times.csv) | - | |"

model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)
slug=$(printf '%s' "${model:-$(uname -m)}" | tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9' '-' | sed 's/^-*//; s/-*$//')
commit=$(git -C "$repository" rev-parse --short HEAD 2>/dev/null || echo unknown)
if [ -z "$trial" ]; then
    runs=$repository/bench/runs/$(date +%F)-$slug
    mkdir -p "$runs"
    {
        printf '# Singletons, %s, %s\n\n* memo %s, %s processors, load when it began: %s\n\n' \
            "$(date +%F)" "${model:-$(uname -m)}" "$commit" "$(nproc)" "$load"
        cat table
    } >"$runs/singleton.md"
    echo "bench: kept in ${runs#"$repository"/}" >&2
fi
exit "$broken"
