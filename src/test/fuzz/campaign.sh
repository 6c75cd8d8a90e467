#!/bin/sh
# Changed inputs by the million for everything that reads data from outside (docs/reliability.md): faster than run.sh, and blind.
#
#   src/test/fuzz/campaign.sh [-n INPUTS] [-t SECONDS] [-s SEED] [PARSER…]     1,000,000 a parser, at most 600 seconds; all
#
# Prints a row a parser: inputs, how many of them were read, seconds. The input that broke a parser stays in target/fuzz.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd)
inputs=1000000 seconds=600 seed=1
while getopts n:t:s: option; do
    case $option in
        n) inputs=$OPTARG ;;
        t) seconds=$OPTARG ;;
        s) seed=$OPTARG ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
cd "$root"
mkdir -p target/fuzz
sh ./mvnw --quiet test-compile dependency:build-classpath -Dmdep.outputFile=target/fuzz/class-path >target/fuzz/build.log
export OMP_WAIT_POLICY=PASSIVE
exec java -Xmx1g -Xmn600m -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED \
    -cp "target/test-classes:target/classes:$(cat target/fuzz/class-path)" \
    org.ewc4j.hostile.Campaign "$seconds" "$inputs" "$seed" "$@"
