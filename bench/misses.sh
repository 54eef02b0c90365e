#!/bin/sh
# misses.sh COUNTER TIMES COMMAND [ARG]...
# Runs the command so many times, each time with one more word that it never had before.
set -eu
counter=$1 times=$2
shift 2
number=$(cat "$counter")
last=$((number + times))
while [ "$number" -lt "$last" ]; do
    "$@" "n$number"
    number=$((number + 1))
done
echo "$number" >"$counter"
