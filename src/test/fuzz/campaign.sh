#!/bin/sh
# Changed inputs by the million for everything that reads data from outside (docs/reliability.md): faster than run.sh, and blind.
#
#   src/test/fuzz/campaign.sh [-n INPUTS] [-t SECONDS] [-s SEED] [-j PROCESSES] [PARSER…]
#
# 1,000,000 inputs a parser, at most 600 seconds each; all parsers; a process for each processor, each with a parser at a time.
# Prints a row a parser: inputs, how many of them were read, seconds, seconds of the processor. The input that broke a parser stays
# in target/fuzz. Ends with 1 where one did.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd)
inputs=1000000 seconds=600 seed=1 processes=$(nproc)
while getopts n:t:s:j: option; do
    case $option in
        n) inputs=$OPTARG ;;
        t) seconds=$OPTARG ;;
        s) seed=$OPTARG ;;
        j) processes=$OPTARG ;;
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
sh ./mvnw --quiet test-compile dependency:build-classpath -Dmdep.outputFile=target/fuzz/class-path >target/fuzz/build.log
export OMP_WAIT_POLICY=PASSIVE
class_path=target/test-classes:target/classes:$(cat target/fuzz/class-path)
printf '%s\n' "$@" | xargs -P "$processes" -I PARSER java -Xmx1g -Xmn600m -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED \
    -cp "$class_path" org.ewc4j.hostile.Campaign "$seconds" "$inputs" "$seed" PARSER || exit 1
