#!/bin/sh
# at-once.sh TIMES COMMAND [ARG]...
# Runs the command so many times at once, and waits for all of them.
set -eu
times=$1
shift
while [ "$times" -gt 0 ]; do
    "$@" >/dev/null &
    times=$((times - 1))
done
wait
