#!/bin/sh
# Coverage-guided fuzzing of everything that reads data from outside (docs/reliability.md), with Jazzer.
#
#   src/test/fuzz/run.sh [-n RUNS] [-t SECONDS] [PARSER…]     1,000,000 runs a parser, at most 600 seconds; all parsers
#
# Parsers are the constants of src/test/java/org/ewc4j/hostile/Parser.java. The corpus, and the input that broke something
# (crash-…, timeout-…), stay in target/fuzz/PARSER; put the latter into src/test/resources/org/ewc4j/hostile/parser/ with its
# mending. Jazzer's instrumentation allocates too, so it has eight times the bound of memory; the corpus is then read once more
# without it, within the bound. Ends with 1 where a parser broke.
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
mkdir -p target/fuzz
sh ./mvnw --quiet -Pfuzz test-compile dependency:build-classpath -Dmdep.outputFile=target/fuzz/class-path
class_path=target/test-classes:target/classes:$(cat target/fuzz/class-path)
export OMP_WAIT_POLICY=PASSIVE
for parser; do
    work=$root/target/fuzz/$parser
    mkdir -p "$work/corpus"
    echo "$parser"
    sh ./mvnw --quiet -Pfuzz exec:exec@fuzz -Dfuzz.parser="$parser" -Dfuzz.work="$work" \
        -Dfuzz.runs="$runs" -Dfuzz.seconds="$seconds" >"$work/log" 2>&1 || status=1
    java -Xmx1g --enable-native-access=ALL-UNNAMED -cp "$class_path" org.ewc4j.hostile.CorpusReplay "$parser" "$work/corpus" \
        >>"$work/log" 2>&1 || status=1
    grep -E '^stat::number_of_executed_units|AssertionError|^#[0-9]+.DONE|^[A-Z_]+: ' "$work/log" || tail -n 5 "$work/log"
done
exit $status
