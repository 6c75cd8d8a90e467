#!/bin/sh
# Coverage-guided fuzzing of everything that reads data from outside (docs/reliability.md), with Jazzer.
#
#   src/test/fuzz/run.sh [-n RUNS] [-t SECONDS] [PARSER…]     1,000,000 runs a parser, at most 600 seconds; all parsers
#
# Parsers are the constants of src/test/java/org/ewc4j/hostile/Parser.java. The corpus, and the input that broke something
# (crash-…, timeout-…), stay in target/fuzz/PARSER; put the latter into src/test/resources/org/ewc4j/hostile/parser/ with its
# mending. Ends with 1 where a parser broke.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd)
runs=1000000 seconds=600 status=0
while getopts n:t: option; do
    case $option in
        n) runs=$OPTARG ;;
        t) seconds=$OPTARG ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
if [ $# = 0 ]; then
    # shellcheck disable=SC2046 # names of parsers have no blanks
    set -- $(sed -n 's/^    \([A-Z_]*\)([A-Za-z"].*{$/\1/p' "$root/src/test/java/org/ewc4j/hostile/Parser.java")
fi
cd "$root"
sh ./mvnw --quiet -Pfuzz test-compile
for parser; do
    work=$root/target/fuzz/$parser
    mkdir -p "$work/corpus"
    echo "$parser"
    sh ./mvnw --quiet -Pfuzz exec:exec@fuzz -Dfuzz.parser="$parser" -Dfuzz.work="$work" \
        -Dfuzz.runs="$runs" -Dfuzz.seconds="$seconds" >"$work/log" 2>&1 || status=1
    grep -E '^stat::number_of_executed_units|^== Java Exception|AssertionError|^#[0-9]+.DONE' "$work/log" || tail -n 5 "$work/log"
done
exit $status
